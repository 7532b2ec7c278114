"""Where processor time goes: samples of both processes, sorted into what they were doing."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass

from .processes import MeasurementError

FREQUENCY = 1999  # samples a second and processor; a prime near 2000, so that nothing periodic is met again and again

COPYING = "copying payload"
CHECKSUM = "checksums"
GENERATOR = "load generator"
PROGRAM = "the program itself"
KERNEL_COPY = "kernel: copying"
KERNEL_WAKE = "kernel: waiting and waking"
KERNEL_CALL = "kernel: system calls, io_uring"
KERNEL_NETWORK = "kernel: TCP over loopback"
PARTS = [COPYING, CHECKSUM, GENERATOR, PROGRAM, KERNEL_COPY, KERNEL_WAKE, KERNEL_CALL, KERNEL_NETWORK]

# The first that matches counts. Whatever of the kernel matches none is the network's: sockets, TCP, IP, loopback, the
# memory they take, and the locks that they hold.
KERNEL_SYMBOLS = [
    (KERNEL_NETWORK, r"^_*(tcp|ip|inet|skb|sk|sock|net|dev|loopback)_"),
    (KERNEL_COPY, r"rep_movs|copy_user|_copy_(to|from)_iter|copy(in|out)\b|copy_page|^__?memcpy|memmove|csum_partial"),
    (
        KERNEL_WAKE,
        r"schedule|sched_|switch_to|switch_mm|finish_task|prepare_task|try_to_wake|ttwu|wake_up|wakeup|autoremove"
        r"|select_task|select_idle|enqueue_(task|entity)|dequeue_(task|entity)|pick_(next|task|eevdf)|update_(curr|load|rq|se)"
        r"|set_next|put_prev|entity|hrtimer|native_write_msr|smp_call|send_IPI|x2apic|resched|idle|cpuacct|psi_"
        r"|load_avg|prepare_to_wait|finish_wait|ep_poll|ep_item|ep_send|epoll|kvm_kick|pvclock",
    ),
    (
        KERNEL_CALL,
        r"^_*io_|uring|SYSCALL|do_syscall|syscall_|_x64_sys|^__sys_|^_*fdget|^fput|^fget|__check_object_size|virt_addr"
        r"|import_(iovec|ubuf)|iovec_|security_|entry_|srso_|^import_|check_(stack|heap)_object|exit_to_user|rseq_",
    ),
]
USER_SYMBOLS = [
    (COPYING, r"memcpy|memmove|^rte_mov|^rte_memcpy"),
    (CHECKSUM, r"crc32|crc_|^(copy_)?extend_"),
    (
        GENERATOR,
        # Our benchmark's module (in mangled names), SPDK's examples, the wire limit's own latencies.
        r"13BenchmarkCore|HdrHistogram|clock_gettime|read_tsc"
        r"|^(submit_(single_)?io|submit_io|task_complete|io_complete|work_fn|nvme_(submit|check|setup)_io|bdevperf_\w+)$",
    ),
]

def part_of(symbol, is_kernel):
    for part, pattern in KERNEL_SYMBOLS if is_kernel else USER_SYMBOLS:
        if re.search(pattern, symbol):
            return part
    return KERNEL_NETWORK if is_kernel else PROGRAM


@dataclass
class Samples:
    """What one process was seen at: Counter of (symbol, whether it is the kernel's)."""

    symbols: Counter

    def divide(self, microseconds_per_io):
        """Its time for an I/O, divided by its samples."""
        total = sum(self.symbols.values())
        if not total:
            raise MeasurementError("perf took no sample of it: did it run on other processors?")
        scale = microseconds_per_io / total
        parts = Counter()
        for (symbol, is_kernel), count in self.symbols.items():
            parts[part_of(symbol, is_kernel)] += count
        return {
            "samples": total,
            "cpu_us_per_io": microseconds_per_io,
            "parts": {part: parts[part] * scale for part in PARTS},
            "symbols": [
                {"symbol": symbol, "part": part_of(symbol, is_kernel), "us_per_io": count * scale}
                for (symbol, is_kernel), count in self.symbols.most_common(40)
            ],
        }


def parse(text, start, finish):
    """PID -> Samples between two moments, from lines of `perf script -F pid,time,ip,sym,dso`:
    "27279  4711.000815:  ffffffff81706445 fdget ([kernel.kallsyms])"."""
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*(\d+)\s+([\d.]+):\s+[0-9a-f]+\s+(.*?)\s+\((.*)\)\s*$", line)
        if match and start <= float(match.group(2)) <= finish:
            is_kernel = match.group(4).startswith("[kernel")
            samples = found.setdefault(int(match.group(1)), Samples(Counter()))
            samples.symbols[match.group(3), is_kernel] += 1
    return found


class Sampler:
    """Samples the whole machine while it is entered."""

    def __init__(self):
        self.program = shutil.which("perf")
        if self.program is None:
            raise MeasurementError("perf is not there (Debian: apt-get install linux-perf)")
        self.directory = self.process = None

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="profile-")
        self.process = subprocess.Popen(
            # The clock, not a counter: virtual machines often have none. `I`: without the idle task.
            [self.program, "record", "-q", "-a", "-e", "cpu-clock:I", "-F", str(FREQUENCY), "-k", "CLOCK_MONOTONIC"]
            + ["-o", self.data],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    @property
    def data(self):
        return os.path.join(self.directory.name, "perf.data")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.errors = self.process.communicate(timeout=60)[1]

    def samples(self, start, finish):
        """PID -> Samples between two moments of time.monotonic()."""
        with self.directory:
            result = subprocess.run(
                [self.program, "script", "-i", self.data, "-F", "pid,time,ip,sym,dso"],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        if result.returncode != 0:
            raise MeasurementError(f"perf: {(self.errors + result.stderr).strip()[-300:]}")
        return parse(result.stdout, start, finish)


def tables(title, measured, is_markdown=False):
    """One table of a row: `measured` is name -> {"initiator": divided, "target": divided}."""
    text = f"{title}\n\n"
    for side in ("initiator", "target"):
        head = [f"{side}, us an I/O", *measured]
        lines = [
            [part, *(f"{entry[side]['parts'][part]:.3f}" for entry in measured.values())]
            for part in PARTS
            if any(entry[side]["parts"][part] for entry in measured.values())
        ]
        lines.append(["all", *(f"{entry[side]['cpu_us_per_io']:.3f}" for entry in measured.values())])
        lines.append(["IOPS", *(f"{entry['iops'] / 1000:.1f}k" for entry in measured.values())])
        if is_markdown:
            text += "| " + " | ".join(head) + " |\n|---|" + "--:|" * len(measured) + "\n"
            text += "".join("| " + " | ".join(cells) + " |\n" for cells in lines) + "\n"
        else:
            widths = [max(len(cells[column]) for cells in [head, *lines]) for column in range(len(head))]
            for cells in [head, *lines]:
                text += "  ".join(
                    cell.rjust(width) if column else cell.ljust(width)
                    for column, (cell, width) in enumerate(zip(cells, widths))
                ).rstrip() + "\n"
            text += "\n"
    return text
