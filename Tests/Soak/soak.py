"""See run."""
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import nbd

from rpc import RPC, RPCError
from target import Target

NVMEOFD = os.environ["NVMEOFD"]
BLOCK = 4096
# No I/O, and no call, may take longer: fences, reconnects and a slow machine included.
PATIENCE = 60


def start_target(name):
    return Target(f"nqn.2014-08.org.example:{name}", "--port", "0", "--port", "0", "--namespace", "memory:32M:4096",
                  "--namespace", "memory:16M:512")


class Soak:
    def __init__(self, seconds, seed):
        self.seconds = seconds
        self.seed = seed
        self.directory = tempfile.mkdtemp(prefix="nvmeofd-soak-")
        self.socket = os.path.join(self.directory, "rpc.sock")
        self.stopping = threading.Event()
        self.failure = None
        self.counts = {}
        self.slowest = {}
        self.lock = threading.Lock()

    # What is told

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    @contextlib.contextmanager
    def timed(self, what):
        start = time.monotonic()
        yield
        took = time.monotonic() - start
        with self.lock:
            self.slowest[what] = max(self.slowest.get(what, 0), took)

    def fail(self, what):
        with self.lock:
            self.failure = self.failure or what
        self.stopping.set()

    # The course of it

    def run(self):
        log = open(os.path.join(self.directory, "log"), "wb")
        self.stay, self.storm = start_target("stay"), start_target("storm")
        self.daemon = subprocess.Popen(
            [NVMEOFD, "--rpc-socket", self.socket, "--reactors", "2", *os.environ.get("SOAK_OPTIONS", "").split()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            # What is freed goes back to the system, so that what is resident is what is in use.
            env={**os.environ, "HOME": self.directory,
                 "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=32768:glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=0"})
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError):
                rpc = RPC(self.socket, PATIENCE)
                break
            assert self.daemon.poll() is None and time.monotonic() < end, "nvmeofd does not serve its socket"
            time.sleep(0.05)
        # Fences last as long as the target may take to notice: with a short keep alive, not long.
        # A command that is never answered is noticed only where there is a time-out: as SPDK, the daemon has none unasked.
        rpc("bdev_nvme_set_options", keep_alive_timeout_ms=2000, timeout_us=4_000_000, timeout_admin_us=4_000_000,
            action_on_timeout="reset")
        for port in self.stay.ports:
            self.attach(rpc, "Stay", self.stay, port, ctrlr_loss_timeout_sec=-1)
        self.export = os.path.join(self.directory, "stay.sock")
        rpc("nbd_start_disk", bdev_name="Stayn1", nbd_device=self.export)
        self.contents = [[{0} for _ in range(512)] for _ in range(2)]

        print(f"soak: seed {self.seed}, {self.seconds} s", flush=True)
        # What is allocated once and kept is there after a while.
        self.disturb(min(20, self.seconds / 4))
        first = self.measure()
        kinds = collections.Counter(self.descriptors)
        self.disturb(self.seconds)
        last = self.measure()
        # What the other side has closed is closed here a moment later.
        end = time.monotonic() + PATIENCE / 2
        while last["descriptors"] > first["descriptors"] and time.monotonic() < end:
            time.sleep(0.5)
            last = self.measure()
        for writer in range(2):
            self.verify_all(writer)
        iostat = rpc("bdev_get_iostat", name="Stayn1")["bdevs"][0]
        rpc("nbd_stop_disk", nbd_device=self.export)
        rpc("bdev_nvme_detach_controller", name="Stay")
        assert rpc("bdev_get_bdevs") == [] and rpc("bdev_nvme_get_controllers") == []
        self.daemon.send_signal(signal.SIGTERM)
        status = self.daemon.wait(PATIENCE)
        assert status == 0, f"nvmeofd ended with {status}"
        for what in sorted(self.counts):
            print(f"  {what}: {self.counts[what]}")
        for what in sorted(self.slowest):
            print(f"  slowest {what}: {self.slowest[what]:.3f} s")
        print(f"  device's own count: {iostat['num_read_ops']} reads, {iostat['num_write_ops']} writes")
        for what in first:
            print(f"  {what}: {first[what]} at the start, {last[what]} at the end")
        assert last["descriptors"] <= first["descriptors"], \
            f"descriptors are left: {collections.Counter(self.descriptors) - kinds}"
        # Those of Swift's pool come and go: at most one for each processor.
        assert last["threads"] <= first["threads"] + os.cpu_count(), "threads are left"
        # What an attach takes, kept by each, would be tens of MiB by now.
        assert last["resident KiB"] <= first["resident KiB"] + 8192, "memory is left"
        print("soak: passed", flush=True)

    def disturb(self, seconds):
        """Everything at once for so long; then all is put right again."""
        self.stopping.clear()
        roles = [self.write_and_verify, self.write_and_verify, self.cut_paths, self.storm_names, self.storm_names,
                 self.observe, self.vanish_from_export, self.vanish_from_rpc]
        threads = []
        for index, role in enumerate(roles):
            generator = random.Random(f"{self.seed} {seconds} {index}")
            threads.append(threading.Thread(target=self.play, args=(role, index, generator), daemon=True))
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        told = time.monotonic() + 30
        while time.monotonic() < end and not self.stopping.is_set():
            if self.daemon.poll() is not None:
                self.fail(f"nvmeofd ended with {self.daemon.returncode}")
            if time.monotonic() > told:
                told += 30
                print(f"soak: {int(end - time.monotonic())} s to go, {self.counts}", file=sys.stderr, flush=True)
            self.stopping.wait(0.2)
        self.stopping.set()
        for thread, role in zip(threads, roles):
            thread.join(2 * PATIENCE)
            if thread.is_alive():
                self.fail(f"{role.__name__} hangs")
        if self.failure:
            raise AssertionError(self.failure)
        self.put_right()

    def play(self, role, index, generator):
        try:
            role(index, generator)
        except Exception as error:  # Whatever it is, it ends the run.
            self.fail(f"{role.__name__}: {type(error).__name__} {error}")

    def put_right(self):
        rpc = RPC(self.socket, PATIENCE)
        for port in self.stay.ports:
            self.stay.say(f"port {port} on")
            self.stay.say(f"ana {port} 1 optimized")
        self.stay.say("faults remove all")
        for controllers in rpc("bdev_nvme_get_controllers"):
            if controllers["name"] != "Stay":
                with contextlib.suppress(RPCError):
                    rpc("bdev_nvme_detach_controller", name=controllers["name"])
        end = time.monotonic() + PATIENCE
        while True:
            for controller in rpc("bdev_nvme_get_controllers", name="Stay")[0]["ctrlrs"]:
                if controller["state"] in ("failed", "disabled"):
                    with contextlib.suppress(RPCError):
                        rpc("bdev_nvme_enable_controller", name="Stay", cntlid=controller["cntlid"])
                        rpc("bdev_nvme_reset_controller", name="Stay", cntlid=controller["cntlid"])
            states = [controller["state"] for controller in rpc("bdev_nvme_get_controllers", name="Stay")[0]["ctrlrs"]]
            names = [device["name"] for device in rpc("bdev_get_bdevs")]
            if states == ["enabled", "enabled"] and names == ["Stayn1", "Stayn2"]:
                break
            assert time.monotonic() < end, f"it does not come to rest: {states}, {names}"
            time.sleep(0.1)
        # Clients that have vanished are noticed, and what they had ends.
        while clients := rpc("nbd_get_exports")[0]["clients"]:
            assert time.monotonic() < end, f"clients stay: {clients}"
            time.sleep(0.1)
        # The sockets of calls that have ended are closed a moment later.
        time.sleep(1)

    def measure(self):
        process = f"/proc/{self.daemon.pid}"
        with open(f"{process}/status", encoding="utf-8") as status:
            values = dict(line.split(":", 1) for line in status)
        threads = 0
        for thread in os.listdir(f"{process}/task"):
            with contextlib.suppress(OSError), open(f"{process}/task/{thread}/comm", encoding="utf-8") as name:
                # Workers of the kernel's (io_uring) come and go as it likes.
                threads += not name.read().startswith("iou-")
        self.descriptors = []
        for descriptor in os.listdir(f"{process}/fd"):
            with contextlib.suppress(OSError):
                self.descriptors.append(re.sub(r"\[\d+\]", "", os.readlink(f"{process}/fd/{descriptor}")))
        return {
            "descriptors": len(self.descriptors), "threads": threads,
            "resident KiB": int(values["VmRSS"].split()[0]),
        }

    # Roles

    def attach(self, rpc, name, target, port, **more):
        timers = {"ctrlr_loss_timeout_sec": 5, "reconnect_delay_sec": 1, "fast_io_fail_timeout_sec": 0, **more}
        return rpc(
            "bdev_nvme_attach_controller", name=name, trtype="tcp", adrfam="ipv4", traddr="127.0.0.1", trsvcid=port,
            subnqn=target.subsystem, hostnqn=f"nqn.2014-08.org.example:{name.lower()}", multipath="multipath", **timers)

    @staticmethod
    def stamp(writer, block, version):
        return (f"{writer} {block} {version} ".encode() * 1024)[:BLOCK] if version else bytes(BLOCK)

    def open_export(self):
        handle = nbd.NBD()
        handle.set_export_name("Stayn1")
        handle.connect_unix(self.export)
        return handle

    def write_and_verify(self, writer, generator):
        """Each of the two has half of the device's first 4 MiB."""
        contents = self.contents[writer]
        handle = self.open_export()
        version = max(max(versions) for versions in contents)
        while not self.stopping.is_set():
            block = generator.randrange(len(contents))
            if generator.random() < 0.5:
                version += 1
                with self.timed("write"):
                    handle.pwrite(self.stamp(writer, block, version), (writer * 512 + block) * BLOCK)
                contents[block] = {version}
                self.count("verified writes")
            else:
                self.verify(handle, writer, block)
        handle.shutdown()

    def verify(self, handle, writer, block):
        with self.timed("read"):
            content = bytes(handle.pread(BLOCK, (writer * 512 + block) * BLOCK))
        if not any(content == self.stamp(writer, block, version) for version in self.contents[writer][block]):
            raise AssertionError(f"block {block} of {writer}: {content[:40]}, not of {self.contents[writer][block]}")
        self.count("verified reads")

    def verify_all(self, writer):
        handle = self.open_export()
        for block in range(len(self.contents[writer])):
            self.verify(handle, writer, block)
        handle.shutdown()

    def cut_paths(self, _, generator):
        """One path at a time, so that there is always another."""
        rpc = RPC(self.socket, PATIENCE)
        while not self.stopping.is_set():
            port = generator.choice(self.stay.ports)
            what = generator.choice(["port", "ana", "reset", "disable", "close", "silence"])
            self.count(f"{what} on a path")
            if what == "port":
                self.stay.say(f"port {port} off")
                self.stopping.wait(generator.uniform(0.1, 3))
                self.stay.say(f"port {port} on")
            elif what == "ana":
                state = generator.choice(["inaccessible", "non-optimized", "change"])
                self.stay.say(f"ana {port} 1 {state}")
                self.stopping.wait(generator.uniform(0.1, 1))
                self.stay.say(f"ana {port} 1 optimized")
            elif what in ("close", "silence"):
                self.stay.say(f"faults add io {'reset' if what == 'close' else 'silence'} count=1")
                self.stopping.wait(generator.uniform(0.1, 1))
                self.stay.say("faults remove all")
            else:
                controllers = rpc("bdev_nvme_get_controllers", name="Stay")[0]["ctrlrs"]
                identifier = generator.choice(controllers)["cntlid"]
                with contextlib.suppress(RPCError):
                    if what == "disable":
                        rpc("bdev_nvme_disable_controller", name="Stay", cntlid=identifier)
                        self.stopping.wait(generator.uniform(0.1, 1))
                        rpc("bdev_nvme_enable_controller", name="Stay", cntlid=identifier)
                    else:
                        rpc("bdev_nvme_reset_controller", name="Stay", cntlid=identifier)
            self.stopping.wait(generator.uniform(0.2, 2))

    # What may be answered to who attaches, detaches and exports while others do: busy, there already, gone, no connection.
    EXPECTED = {-1, -2, -5, -6, -16, -17, -19, -22, -103, -104, -107, -110, -111, -114, -125}

    def storm_names(self, role, generator):
        """Both work on the same two names, so that they meet."""
        rpc = RPC(self.socket, PATIENCE)
        while not self.stopping.is_set():
            name = generator.choice(["Storm0", "Storm1"])
            what = generator.choice(["attach", "attach", "detach", "export", "unexport", "reset", "inject"])
            path = os.path.join(self.directory, f"{name}.sock")
            try:
                with self.timed("call in the storm"):
                    if what == "attach":
                        self.attach(rpc, name, self.storm, generator.choice(self.storm.ports))
                    elif what == "detach":
                        rpc("bdev_nvme_detach_controller", name=name)
                    elif what == "export":
                        rpc("nbd_start_disk", bdev_name=f"{name}n1", nbd_device=path)
                    elif what == "unexport":
                        rpc("nbd_stop_disk", nbd_device=path)
                    elif what == "reset":
                        rpc("bdev_nvme_reset_controller", name=name)
                    else:
                        rpc("bdev_nvme_add_error_injection", name=name, cmd_type="io", opc=2, err_count=1, sct=0, sc=6)
                self.count(f"{what} in the storm")
            except RPCError as error:
                if error.code not in self.EXPECTED:
                    raise
                self.count(f"{what} refused in the storm")
            if generator.random() < 0.2:
                with contextlib.suppress(nbd.Error):
                    handle = nbd.NBD()
                    handle.connect_unix(path)
                    handle.pread(BLOCK, 0)
            if generator.random() < 0.02:
                port = generator.choice(self.storm.ports)
                self.storm.say(f"port {port} off")
                self.stopping.wait(0.2)
                self.storm.say(f"port {port} on")

    def observe(self, _, generator):
        """What only looks is answered at once, whatever goes on."""
        rpc = RPC(self.socket, PATIENCE)
        methods = ["bdev_get_bdevs", "bdev_get_iostat", "bdev_nvme_get_controllers", "bdev_nvme_get_io_paths",
                   "bdev_nvme_get_transport_statistics", "nbd_get_disks", "nbd_get_exports", "notify_get_notifications",
                   "framework_get_subsystems"]
        while not self.stopping.is_set():
            with self.timed("look"):
                rpc(generator.choice(methods))
            self.count("looks")
            time.sleep(0.005)

    def vanish_from_export(self, _, generator):
        # The same for all clients: libnbd's binding never lets go of what an unfinished request of a closed handle had.
        buffers = [nbd.Buffer(65536) for _ in range(64)]
        while not self.stopping.is_set():
            # (What it writes is behind what others verify.)
            handle = self.open_export()
            for index, buffer in enumerate(buffers[:generator.randrange(64)]):
                offset = 8 * 1024 * 1024 + index * 65536
                if generator.random() < 0.5:
                    handle.aio_pread(buffer, offset)
                else:
                    handle.aio_pwrite(buffer, offset)
            del handle
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(self.export)
                with contextlib.suppress(OSError):
                    raw.sendall(generator.randbytes(generator.randrange(64)))
            self.count("NBD clients vanished", 2)
            self.stopping.wait(0.1)

    def vanish_from_rpc(self, _, generator):
        request = json.dumps({"id": 1, "method": "bdev_get_bdevs"}).encode()
        while not self.stopping.is_set():
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(self.socket)
                with contextlib.suppress(OSError):
                    raw.sendall(request * generator.randrange(50) + request[:generator.randrange(len(request))])
            self.count("RPC clients vanished")
            self.stopping.wait(0.1)

    def tell_what_is_there(self):
        """For whoever looks into a failure."""
        with contextlib.suppress(Exception):
            rpc = RPC(self.socket, PATIENCE)
            rpc.socket.settimeout(10)
            for method in ("nbd_get_exports", "bdev_nvme_get_controllers", "bdev_nvme_get_io_paths", "bdev_get_iostat"):
                print(f"{method}: {json.dumps(rpc(method))}", file=sys.stderr)
        subprocess.run(["ss", "-axtpn"], check=False, stdout=sys.stderr)
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as log:
            print("".join(log.readlines()[-40:]), file=sys.stderr)

    def clean_up(self):
        for process in (self.daemon, self.stay.process, self.storm.process):
            process.kill()
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def number(place, word, default):
    """A positive whole number of the command line."""
    if len(sys.argv) <= place:
        return default
    if not sys.argv[place].isdecimal() or int(sys.argv[place]) == 0:
        print(f"soak: {word} is a whole number from 1 on, not '{sys.argv[place]}' (try --help)", file=sys.stderr)
        sys.exit(2)
    return int(sys.argv[place])


def main():
    seconds = number(1, "SECONDS", 120)
    seed = number(2, "SEED", random.SystemRandom().randrange(1, 1 << 32))
    soak = Soak(seconds, seed)
    try:
        soak.run()
    except (AssertionError, EOFError, OSError, RPCError, nbd.Error) as error:
        print(f"soak: FAILED: {type(error).__name__} {error}", file=sys.stderr)
        soak.tell_what_is_there()
        if os.environ.get("SOAK_KEEPS"):
            input(f"nvmeofd is process {soak.daemon.pid}; RETURN ends it")
        sys.exit(1)
    finally:
        soak.clean_up()


main()
