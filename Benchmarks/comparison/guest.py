"""Linux's own NVMe/TCP initiator under fio against ours, inside the guest whose kernel is the target as well.

The guest has one processor, which target and initiator share, and is usually emulated: its IOPS are the inverse of all the
work that an I/O takes on both sides. Only their ratio means anything.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from . import report
from .processes import MeasurementError, end, tail, with_affinity

SUBSYSTEM = "nqn.2026-01.io.nvmeof.guest:open"
NAMESPACE = 2  # 4096-byte blocks, in memory
WORKLOADS = {
    "guest-4k-randread-qd1": ("randread", "4k", 1),
    "guest-4k-randread-qd32": ("randread", "4k", 32),
    "guest-4k-randread-qd128": ("randread", "4k", 128),
    "guest-4k-randwrite-qd32": ("randwrite", "4k", 32),
    "guest-128k-read-qd32": ("read", "128k", 32),
}


def libraries_of(program):
    """Paths of the libraries a program loads, its loader included."""
    result = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    paths = []
    for line in result.stdout.splitlines():
        words = line.split()
        path = words[2] if "=>" in words and len(words) > 2 else words[0]
        if path.startswith("/"):
            paths.append(path)
    return paths


def stage(directory, programs):
    """Copies programs and all they load, so that they run on another system."""
    os.makedirs(os.path.join(directory, "lib"))
    for program in programs:
        shutil.copy(program, os.path.join(directory, os.path.basename(program)))
        for library in libraries_of(program):
            shutil.copy(os.path.realpath(library), os.path.join(directory, "lib", os.path.basename(library)))


class Guest:
    def __init__(self, root, programs, processors):
        self.root, self.programs, self.processors = root, programs, processors
        self.directory = self.process = self.control = self.reader = None
        self.sequence = 0

    def __enter__(self):
        if shutil.which("qemu-system-x86_64") is None:
            raise MeasurementError("qemu-system-x86_64 is missing; install Debian's package qemu-system-x86")
        result = subprocess.run(
            [os.path.join(self.root, "Tests", "NvmetGuest", "build-guest")],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise MeasurementError("the guest could not be built")
        image = result.stdout.strip()
        self.directory = tempfile.mkdtemp(prefix="nvmeof-guest-")
        try:
            stage(os.path.join(self.directory, "share"), self.programs)
            self.start(image)
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self, image):
        path = os.path.join(self.directory, "control")
        accelerator = os.environ.get("NVMET_GUEST_ACCELERATOR", "tcg,thread=single,tb-size=256")
        share = os.path.join(self.directory, "share")
        arguments = [
            *("qemu-system-x86_64", "-accel", accelerator, "-M", "q35", "-cpu", "max,-erms", "-smp", "1", "-m", "1024"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", f"{image}/vmlinux", "-initrd", f"{image}/initrd.cpio", "-append"),
            "console=ttyS0 panic=-1 quiet mitigations=off nokaslr cryptomgr.notests",
            *("-serial", f"file:{self.directory}/console", "-chardev", f"socket,id=ctl,path={path},server=on,wait=off"),
            *("-device", "virtio-serial-pci", "-device", "virtserialport,chardev=ctl,name=control"),
            *("-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0,romfile="),
            *("-device", "virtio-rng-pci", "-fsdev"),
            f"local,id=f0,path={share},security_model=none,multidevs=remap,readonly=on",
            *("-device", "virtio-9p-pci,fsdev=f0,mount_tag=share"),
        ]
        self.process = subprocess.Popen(with_affinity(arguments, self.processors), stdin=subprocess.DEVNULL)
        limit = time.monotonic() + 180
        while self.control is None:
            try:
                self.control = socket.socket(socket.AF_UNIX)
                self.control.connect(path)
            except OSError:
                self.control.close()
                self.control = None
                if self.process.poll() is not None or time.monotonic() > limit:
                    raise MeasurementError("QEMU did not start") from None
                time.sleep(0.1)
        self.reader = self.control.makefile("r")
        self.run(
            "modprobe -a 9p 9pnet_virtio nvme-tcp; mkdir -p /share; mount -t 9p -o trans=virtio,version=9p2000.L share /share"
        )

    def __exit__(self, *_):
        if self.control is not None:
            self.control.close()
        if self.process is not None:
            end(self.process)
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, script, seconds=180):
        """Runs a shell script in the guest; its output."""
        self.sequence += 1
        self.control.settimeout(seconds + 60)
        line = f"{self.sequence} {seconds} {base64.b64encode(script.encode()).decode()}\n"
        try:
            self.control.sendall(line.encode())
            while True:
                answer = self.reader.readline().split(" ")
                if len(answer) == 3 and answer[0] == str(self.sequence):
                    break
                if answer == [""]:
                    raise MeasurementError(f"the guest is gone: {self.console()}")
        except TimeoutError:
            raise MeasurementError(f"the guest does not answer: {self.console()}") from None
        except OSError as problem:
            raise MeasurementError(f"the guest is gone ({problem.strerror}): {self.console()}") from None
        output = base64.b64decode(answer[2]).decode(errors="replace")
        if answer[1] != "0":
            raise MeasurementError(
                f"in the guest, status {answer[1]}: {tail(output.splitlines()) or script.splitlines()[0]}"
            )
        return output

    def console(self):
        with open(os.path.join(self.directory, "console"), encoding="utf-8", errors="replace") as file:
            return tail(file.readlines())

    def program(self, name):
        """The beginning of a command that runs a staged program with its own libraries."""
        return f"/share/lib/ld-linux-x86-64.so.2 --library-path /share/lib /share/{name}"

    def connect_kernel(self):
        """Has Linux's initiator connect; the namespace's block device."""
        return self.run(
            f"""nvme connect -t tcp -a 127.0.0.1 -s 4420 -n {SUBSYSTEM} --nr-io-queues=1 --queue-size=129 >/dev/null
            for attempt in 1 2 3 4 5 6 7 8 9 10; do
              for directory in /sys/class/block/nvme*n*; do
                name=${{directory##*/}}
                case $name in nvme*c*n*) continue ;; esac # a path, not the device
                [ "$(cat $directory/nsid 2>/dev/null)" = {NAMESPACE} ] && [ -b /dev/$name ] && echo /dev/$name && exit 0
              done
              sleep 1
            done
            echo "Linux has no device of namespace {NAMESPACE}: $(ls /sys/class/block)"
            exit 1"""
        ).strip()


def job(text):
    """IOPS and median latency in a result of fio or nvmeof-bench, whatever stands before it."""
    try:
        result = json.loads(text[text.index("{") :])["jobs"][0]
    except (ValueError, LookupError):
        raise MeasurementError(f"in the guest: no result: {tail(text.splitlines())}") from None
    if result["error"]:
        raise MeasurementError("in the guest: I/O failed")
    direction = max(result["read"], result["write"], key=lambda part: part["iops"])
    return {
        "iops": direction["iops"],
        "bytes_per_second": direction["bw_bytes"],
        "latency_us": {"p50": direction["lat_ns"]["percentile"]["50.000000"] / 1000},
    }


def measure(root, programs, processors, wanted, pairs, seconds, ramp, say):
    """Rows of the comparison inside the guest: identifier -> row."""
    fio = shutil.which("fio")
    if fio is None:
        raise MeasurementError("fio is missing; install Debian's package fio")
    rows = {}
    with Guest(root, [programs["nvmeof-bench"], fio], processors) as guest:
        version = guest.run("uname -r").strip()
        device = guest.connect_kernel()
        for identifier in wanted:
            pattern, block, depth = WORKLOADS[identifier]
            common = (
                f"--name=run --rw={pattern} --bs={block} --iodepth={depth} --time_based --runtime={seconds} "
                f"--ramp_time={ramp} --norandommap --output-format=json "
                # Linux's initiator does much of an I/O within the submission.
                "--lat_percentiles=1 --clat_percentiles=0"
            )
            commands = {
                "ours": f"HOME=/tmp {guest.program('nvmeof-bench')} --eta=never {common} "
                f"--filename='nvme+tcp://127.0.0.1:4420/{SUBSYSTEM}?nsid={NAMESPACE}'",
                # Batches, so that Linux's initiator can send several commands at once as ours does.
                "linux": f"{guest.program('fio')} --ioengine=io_uring --direct=1 --thread {common} --filename={device} "
                f"--iodepth_batch_submit={depth} --iodepth_batch_complete_min=1 --iodepth_batch_complete_max={depth}",
            }
            measured = {name: [] for name in commands}
            for number in range(pairs):
                order = list(commands) if number % 2 == 0 else list(reversed(commands))
                for name in order:
                    run = job(guest.run(commands[name], seconds + ramp + 60))
                    measured[name].append(run)
                    say(f"{identifier} {number + 1}/{pairs} {name}: {report.text_of('iops', run['iops'])} IOPS")
            rows[identifier] = {
                "pattern": pattern,
                "block": block,
                "depth": depth,
                "kernel": version,
                "measured": measured,
            }
    return rows
