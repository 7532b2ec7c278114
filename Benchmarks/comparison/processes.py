"""Runs a program on given processors and takes its CPU time from the kernel, in the middle of its measured time."""

import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field

TICKS = os.sysconf("SC_CLK_TCK")


class MeasurementError(Exception):
    """A run that must not be counted; the text says why."""


@dataclass
class CPUTime:
    moment: float
    user: float
    system: float
    total: float


def cpu_time(process_identifier):
    """CPU seconds of all threads so far. /proc/PID/stat has user and system to 10 ms, schedstat the sum to nanoseconds."""
    base = f"/proc/{process_identifier}"
    with open(f"{base}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    total = 0
    for task in os.listdir(f"{base}/task"):
        try:
            with open(f"{base}/task/{task}/schedstat", encoding="ascii") as file:
                total += int(file.read().split()[0])
        except OSError:
            continue  # a thread that has just ended
    return CPUTime(time.monotonic(), int(fields[11]) / TICKS, int(fields[12]) / TICKS, total / 1e9)


@dataclass
class CPUUse:
    """Shares of one processor, over a window."""

    user: float
    system: float
    window_seconds: float

    @property
    def total(self):
        return self.user + self.system


def cpu_use(first, last):
    """The sum is schedstat's; how it divides into user and system is the accounting's."""
    elapsed = last.moment - first.moment
    total = last.total - first.total
    user, system = last.user - first.user, last.system - first.system
    share = user / (user + system) if user + system > 0 else 0
    return CPUUse(total * share / elapsed, total * (1 - share) / elapsed, elapsed)


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
    standard_output: str
    standard_error: str
    cpu: CPUUse
    memory: dict = field(default_factory=dict)


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


def measure(command, processors, *, marker, before_seconds, seconds, environment=None, accepted=(0,), wants_memory=False):
    """Runs a load generator and samples its CPU time within the `seconds` that it measures itself.

    marker: text on its standard output from which `before_seconds` (warming up) count; None: from its start.
    """
    settings = dict(os.environ, **(environment or {}))
    # Line buffering, so that the marker comes when it is printed.
    process = subprocess.Popen(
        ["stdbuf", "-oL", *with_affinity(command, processors)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=settings)
    started = time.monotonic()
    lines, errors = [], []
    marked = threading.Event()
    marked_at = [started]

    def read(stream, place, watches):
        for line in stream:
            place.append(line)
            if watches and not marked.is_set() and marker is not None and marker in line:
                marked_at[0] = time.monotonic()
                marked.set()
        if watches:
            marked.set()  # at its end nothing is waited for any more

    readers = [
        threading.Thread(target=read, args=(process.stdout, lines, True), daemon=True),
        threading.Thread(target=read, args=(process.stderr, errors, False), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        if marker is not None and not marked.wait(60):
            raise MeasurementError(f"{os.path.basename(command[0])} did not start its load within 60 s")
        # Away from both edges: connecting takes a moment, and the end of the load is not exact either.
        margin = min(0.4, seconds / 4)
        sleep_until(marked_at[0] + before_seconds + margin)
        first = cpu_time(process.pid)
        memory = resident_memory(process.pid) if wants_memory else {}
        sleep_until(marked_at[0] + before_seconds + seconds - margin / 4)
        last = cpu_time(process.pid)
        process.wait(60 + seconds)
    except (OSError, subprocess.TimeoutExpired) as problem:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join(5)
        raise MeasurementError(
            f"{os.path.basename(command[0])} ended too early or not at all ({problem}): {tail(errors) or tail(lines)}"
        ) from None
    finally:
        end(process)
    for reader in readers:
        reader.join(5)
    if process.returncode not in accepted:
        raise MeasurementError(
            f"{os.path.basename(command[0])} ended with status {process.returncode}: {tail(errors) or tail(lines)}")
    return Outcome("".join(lines), "".join(errors), cpu_use(first, last), memory)


def sleep_until(moment):
    left = moment - time.monotonic()
    if left > 0:
        time.sleep(left)


def tail(lines):
    return " / ".join(line.strip() for line in lines[-4:] if line.strip())
