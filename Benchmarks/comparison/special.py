"""Rows that are not a comparison of runs: idle, memory, verified data."""

import json
import os
import subprocess
import time

from . import processes
from .initiators import Ours, Workload
from .processes import MeasurementError, cpu_time, cpu_use, end, with_affinity
from .targets import MEMORY, NULL


def verdict(value, limit):
    return "met" if value <= limit else "NOT MET"


def line(text, ours, wanted, result):
    return {"text": text, "ours": ours, "wanted": wanted, "verdict": result}


def connection_count(process_identifier):
    """How many sockets a process has open."""
    base = f"/proc/{process_identifier}/fd"
    return sum(os.readlink(f"{base}/{name}").startswith("socket:") for name in os.listdir(base))


def idle(setting, target):
    """CPU of a process that is connected and waits: a copy whose source has nothing to say."""
    seconds = max(5, setting.seconds)
    process = subprocess.Popen(
        with_affinity(
            [setting.programs["nvmeof"], "copy", "-", target.uri(MEMORY)], setting.processors),
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        if process.poll() is not None or connection_count(process.pid) < 2:
            raise MeasurementError("idle: nvmeof copy did not connect")
        first = cpu_time(process.pid)
        time.sleep(seconds)
        last = cpu_time(process.pid)
    finally:
        end(process)
    percent = cpu_use(first, last).total * 100
    return {
        "title": "idle, connected (admin and I/O queue, keep alive)", "cpu_percent": percent,
        "lines": [line("CPU", f"{percent:.3f} %", "0.0 %", verdict(percent, 0.0499))],
    }


def memory(setting, target):
    """What a connection of depth 128 takes, and a process with 64 of them, beside the callers' buffers."""
    workload = Workload(depth=128, namespace=NULL)
    found = {}
    for count in (1, 64):
        found[count] = Ours(wait=None).run(setting, target, workload.with_(connections=count))
    buffers = workload.depth * workload.block_bytes
    pair = (found[64]["resident_bytes"] - found[1]["resident_bytes"]) / 63 - buffers
    process = found[64]["resident_bytes"] - 64 * buffers
    return {
        "title": "memory, depth 128, beside the callers' buffers", "bytes_per_queue_pair": pair,
        "process_bytes_64_connections": process, "runs": found,
        "lines": [
            line("a queue pair, with its admin queue", f"{pair / 1024:.0f} KiB", "<= 1 MiB", verdict(pair, 1 << 20)),
            line("process with 64 connections", f"{process / (1 << 20):.1f} MiB", "<= 20 MiB", verdict(process, 20 << 20)),
        ],
    }


def verify(setting, target):
    """Data that is written comes back, in capsules and by R2T, with digests and without, over several connections."""
    lines, documents = [], {}
    for name, block, digests, connections, face in (
        ("4 KiB", "4k", False, 1, "poll"), ("4 KiB, digests, 4 connections", "4k", True, 4, "poll"),
        ("128 KiB, digests", "128k", True, 1, "poll"), ("16 KiB, async face", "16k", False, 1, "async"),
    ):
        command = with_affinity(
            [
                setting.programs["nvmeof-bench"], "--output-format=json", "--eta=never", "--name=verify",
                f"--filename={target.uri(MEMORY, digests)}", "--rw=randwrite", f"--bs={block}", "--size=64m", "--iodepth=32",
                f"--connections={connections}", f"--ioengine={face}", "--verify=crc32c", "--verify_fatal=1",
            ], setting.processors)
        result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        try:
            job = json.loads(result.stdout)["jobs"][0]
            blocks, failures = job["verify"]["blocks"], job["verify"]["failures"]
        except (ValueError, LookupError):
            raise MeasurementError(f"verify: {name}: {processes.tail(result.stderr.splitlines())}") from None
        good = result.returncode == 0 and not job["error"] and not failures and blocks > 0
        documents[name] = job
        lines.append(line(name, f"{blocks} blocks, {failures} wrong", "0 wrong", "met" if good else "FAILED"))
    return {"title": "verified data", "lines": lines, "jobs": documents}


SPECIAL = {"verify": verify, "idle": idle, "memory": memory}
