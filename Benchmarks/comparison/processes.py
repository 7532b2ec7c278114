"""Runs a program on given processors and takes its CPU time from the kernel, within the time that it measures itself."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


class MeasurementError(Exception):
    """A run that must not be counted; the text says why."""


@dataclass
class CPUTime:
    moment: float
    user: float
    system: float
    threads: dict  # seconds of each
    machine: float = None  # of all processors and processes
    companion: float = None  # of the process at the other end
    process: int = None  # whose it is


def cpu_time(process_identifier):
    """CPU seconds so far. /proc/PID/stat has user and system to 10 ms, schedstat a thread's sum to nanoseconds."""
    base = f"/proc/{process_identifier}"
    with open(f"{base}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    threads = {}
    for task in os.listdir(f"{base}/task"):
        try:
            with open(f"{base}/task/{task}/schedstat", encoding="ascii") as file:
                threads[task] = int(file.read().split()[0]) / 1e9
        except OSError:
            continue  # a thread that has just ended
    return CPUTime(
        time.monotonic(), int(fields[11]) / TICKS, int(fields[12]) / TICKS, threads, process=process_identifier
    )


def machine_time():
    """Seconds in which the machine's processors were not idle."""
    with open("/proc/stat", encoding="ascii") as file:
        values = [int(value) for value in file.readline().split()[1:]]
    return (sum(values[:8]) - values[3] - values[4]) / TICKS  # without idle and waiting for disks; guests count as user


@dataclass
class CPUUse:
    """Shares of one processor, over a window."""

    user: float
    system: float
    window_seconds: float
    others: float = None  # what neither this process nor its companion used
    companion: float = None  # what the process at the other end used
    start: float = 0  # of the window, as time.monotonic()
    process: int = None

    @property
    def total(self):
        return self.user + self.system


def cpu_use(first, last):
    """The sum is schedstat's; how it divides into user and system is the accounting's."""
    elapsed = last.moment - first.moment
    total = sum(seconds - first.threads.get(thread, 0) for thread, seconds in last.threads.items())
    user, system = last.user - first.user, last.system - first.system
    share = user / (user + system) if user + system > 0 else 0
    others = companion = None
    if None not in (first.companion, last.companion):
        companion = (last.companion - first.companion) / elapsed
        if None not in (first.machine, last.machine):
            others = max(0, (last.machine - first.machine - total) / elapsed - companion)
    return CPUUse(
        total * share / elapsed,
        total * (1 - share) / elapsed,
        elapsed,
        others,
        companion,
        first.moment,
        first.process,
    )


def resident_memory(process_identifier):
    """Bytes of resident memory, and how many of them are anonymous (no file behind them)."""
    with open(f"/proc/{process_identifier}/smaps_rollup", encoding="ascii") as file:
        text = file.read()

    def value(name):
        match = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
        return int(match.group(1)) * 1024 if match else 0

    return {"resident_bytes": value("Rss"), "anonymous_bytes": value("Anonymous")}


@dataclass
class Outcome:
    """What a load generator printed, and what was seen of it from outside."""

    standard_output: str
    standard_error: str
    samples: list
    memory: list  # (moment, resident_memory)
    marked_at: float = None

    def cpu(self, start, finish):
        """CPU use between two moments of time.monotonic(): what the generator measured itself."""
        inside = [sample for sample in self.samples if start <= sample.moment <= finish]
        if len(inside) < 2 or inside[-1].moment - inside[0].moment < (finish - start) / 2:
            raise MeasurementError(
                "its CPU time was not seen for most of the measured time: is the machine overloaded?"
            )
        return cpu_use(inside[0], inside[-1])

    def memory_between(self, start, finish):
        inside = [figures for moment, figures in self.memory if start <= moment <= finish]
        return inside[len(inside) // 2] if inside else {}


def with_affinity(command, processors):
    return ["taskset", "-c", ",".join(map(str, processors)), *command]


def end(process):
    """Ends a child and what it left behind."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


SAMPLE_SECONDS = 0.1


def measure(
    command, processors, *, marker=None, seconds, environment=None, accepted=(0,), wants_memory=False, companion=None
):
    """Runs a load generator to its end and watches its CPU time.

    marker: text on its standard output; Outcome.marked_at is when it came.
    seconds: what it should take at most, starting up and ending not counted.
    companion: the process at the other end; what all others use is a disturbance.
    """
    name = os.path.basename(command[0])
    # Line buffering, so that the marker comes when it is printed.
    process = subprocess.Popen(
        ["stdbuf", "-oL", *with_affinity(command, processors)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=dict(os.environ, **(environment or {})),
    )
    outcome = Outcome("", "", [], [])
    lines, errors = [], []

    def read(stream, place):
        for line in stream:
            if marker is not None and outcome.marked_at is None and marker in line:
                outcome.marked_at = time.monotonic()
            place.append(line)

    readers = [
        threading.Thread(target=read, args=(process.stdout, lines), daemon=True),
        threading.Thread(target=read, args=(process.stderr, errors), daemon=True),
    ]
    for reader in readers:
        reader.start()
    limit = time.monotonic() + seconds + 60
    try:
        while process.poll() is None:
            if time.monotonic() > limit:
                raise MeasurementError(f"{name} did not end within {seconds + 60} s: {tail(errors) or tail(lines)}")
            try:
                sample = cpu_time(process.pid)
                sample.machine = machine_time()
                if companion is not None:
                    sample.companion = sum(cpu_time(companion).threads.values())
                outcome.samples.append(sample)
                if wants_memory and len(outcome.samples) % 4 == 0:
                    outcome.memory.append((time.monotonic(), resident_memory(process.pid)))
            except OSError:
                pass  # it has just ended
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(SAMPLE_SECONDS)
    finally:
        end(process)
        for reader in readers:
            reader.join(5)
    if process.returncode not in accepted:
        raise MeasurementError(f"{name} ended with status {process.returncode}: {tail(errors) or tail(lines)}")
    if marker is not None and outcome.marked_at is None:
        raise MeasurementError(f"{name} did not print {marker!r}: {tail(errors) or tail(lines)}")
    outcome.standard_output, outcome.standard_error = "".join(lines), "".join(errors)
    return outcome


def tail(lines):
    return " / ".join(line.strip() for line in lines[-4:] if line.strip())
