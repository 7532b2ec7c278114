"""Initiators: how each is told what to do, and how its answer is read. All give the same figures:

iops, bytes_per_second, cpu_us_per_io, user_cpu_us_per_io, system_cpu_us_per_io, latency_us {p50, p99, p99.9}, errors.
CPU time is the kernel's, of all threads of the initiator's process, within the measured time.
"""

import json
import os
import re
import tempfile
from dataclasses import dataclass, replace

from .processes import MeasurementError, measure
from .targets import spdk_memory_options


@dataclass(frozen=True)
class Workload:
    pattern: str = "randread"  # read, write, randread, randwrite
    block_bytes: int = 4096
    depth: int = 1  # on each connection
    connections: int = 1
    digests: bool = False
    namespace: int = 1

    def with_(self, **changes):
        return replace(self, **changes)

    @property
    def is_random(self):
        return self.pattern.startswith("rand")

    @property
    def is_write(self):
        return self.pattern.endswith("write")


@dataclass
class Setting:
    """What all runs have in common."""

    seconds: int
    ramp_seconds: int
    processors: list
    programs: dict  # name of a program -> its path
    keeps_commands: bool = True


def figures(iops, block_bytes, cpu, latency=None, errors=0, **more):
    result = {
        "iops": iops,
        "bytes_per_second": iops * block_bytes,
        "cpu_us_per_io": cpu.total / iops * 1e6,
        "user_cpu_us_per_io": cpu.user / iops * 1e6,
        "system_cpu_us_per_io": cpu.system / iops * 1e6,
        "cpu_ns_per_kib": cpu.total / iops / block_bytes * 1024 * 1e9,
        "cpu_share": cpu.total,
        "cpu_window_seconds": cpu.window_seconds,
        "cpu_window_start": cpu.start,
        "process": cpu.process,
        "others_cpu_share": cpu.others,
        "errors": errors,
    }
    if cpu.companion is not None:
        result["target_cpu_us_per_io"] = cpu.companion / iops * 1e6
    if latency:
        result["latency_us"] = latency
    result.update(more)
    return result


class Initiator:
    """One way of doing a workload. `program` is the key of its executable in Setting.programs."""

    program = ""

    def __init__(self, **options):
        self.options = options

    def can(self, workload):
        """Whether the program has what the workload needs."""
        return True

    def run(self, setting, target, workload):
        """Figures of one run; MeasurementError where it failed."""
        raise NotImplementedError


class Ours(Initiator):
    """nvmeof-bench.

    Options: wait (adaptive, event, busy; None: the default, no option given), face (poll, async), threads, memory (look at
    what it takes, too).
    """

    program = "nvmeof-bench"

    def command(self, setting, target, workload):
        command = [
            setting.programs[self.program],
            "--output-format=json",
            "--eta=never",
            "--name=run",
            f"--filename={target.uri(workload.namespace, workload.digests)}",
            f"--rw={workload.pattern}",
            f"--bs={workload.block_bytes}",
            f"--iodepth={workload.depth}",
            f"--connections={workload.connections}",
            "--time_based",
            f"--runtime={setting.seconds}",
            f"--ramp_time={setting.ramp_seconds}",
            "--group_reporting",
            # As the other load generators: no memory of which blocks have been visited, no second latency.
            "--norandommap",
            "--disable_slat=1",
            # Latency from before the submission on, as theirs is.
            "--disable_clat=1",
            "--clat_percentiles=0",
            "--lat_percentiles=1",
        ]
        if self.options.get("wait"):
            command.append(f"--wait_mode={self.options['wait']}")
        if self.options.get("face") == "async":
            command.append("--ioengine=async")
        if self.options.get("threads", 1) > 1:
            command.append(f"--numjobs={self.options['threads']}")
        return command

    def run(self, setting, target, workload):
        outcome = measure(
            self.command(setting, target, workload),
            setting.processors,
            seconds=setting.ramp_seconds + setting.seconds,
            companion=target.process.pid,
            wants_memory=self.options.get("memory", False),
            accepted=(0, 1),
        )
        try:
            job = json.loads(outcome.standard_output)["jobs"][0]
        except (ValueError, LookupError):
            raise MeasurementError(f"nvmeof-bench printed no result: {outcome.standard_error.strip()}") from None
        if job["error"]:
            raise MeasurementError(f"nvmeof-bench: {job.get('error_message', 'I/O failed')}")
        direction = job["write" if workload.is_write else "read"]
        percentiles = direction["lat_ns"].get("percentile", {})
        latency = {
            name: percentiles[key] / 1000
            for name, key in (("p50", "50.000000"), ("p99", "99.000000"), ("p99.9", "99.900000"))
            if key in percentiles
        }
        window = job["measured_from_ns"] / 1e9, job["measured_until_ns"] / 1e9
        return figures(
            direction["iops"],
            workload.block_bytes,
            outcome.cpu(*window),
            latency,
            job["error"],
            thread_user_cpu_us_per_io=job.get("usr_cpu_us_per_io"),
            thread_system_cpu_us_per_io=job.get("sys_cpu_us_per_io"),
            **outcome.memory_between(*window),
        )


class WireLimit(Initiator):
    """Benchmarks/WireLimit. Options: variant."""

    program = "wire-limit"

    def can(self, workload):
        return not workload.digests

    def run(self, setting, target, workload):
        command = [
            setting.programs[self.program],
            "--port",
            str(target.port),
            "--nqn",
            target.subsystem,
            "--namespace",
            str(workload.namespace),
            "--variant",
            self.options["variant"],
            "--depth",
            str(workload.depth),
            "--connections",
            str(workload.connections),
            "--block-size",
            str(workload.block_bytes),
            "--seconds",
            str(setting.seconds),
            "--ramp",
            str(setting.ramp_seconds),
        ]
        command += ["--random"] * workload.is_random + ["--write"] * workload.is_write
        outcome = measure(
            command, setting.processors, seconds=setting.ramp_seconds + setting.seconds, companion=target.process.pid
        )
        result = json.loads(outcome.standard_output)
        if result["errors"]:
            raise MeasurementError(f"wire-limit: {result['errors']} commands failed")
        if not result["completed"]:
            raise MeasurementError("wire-limit: not one command was answered")
        cpu = outcome.cpu(result["measured_from_ns"] / 1e9, result["measured_until_ns"] / 1e9)
        return figures(
            result["iops"],
            workload.block_bytes,
            cpu,
            result["latency_us"],
            thread_user_cpu_us_per_io=result["cpu_us_per_io"]["user"],
            thread_system_cpu_us_per_io=result["cpu_us_per_io"]["system"],
            ios_per_receive=result["ios_per_receive"],
        )


def marked_cpu(outcome, setting):
    """CPU use of a program that tells only when its load begins: away from both edges, which are not exact."""
    start = outcome.marked_at + setting.ramp_seconds
    margin = min(0.2, setting.seconds / 8)
    return outcome.cpu(start + margin, start + setting.seconds - margin)


def spdk_percentiles(text):
    """From lines such as " 99.90000% :   140.000us"."""
    found = {float(share): float(value) for share, value in re.findall(r"([\d.]+)%\s*:\s*([\d.]+)us", text)}
    names = {"p50": 50.0, "p99": 99.0, "p99.9": 99.9}
    return {name: found[share] for name, share in names.items() if share in found}


class SPDKPerf(Initiator):
    """spdk_nvme_perf. Options: latency (its percentiles, which cost it time, are asked for)."""

    program = "spdk_nvme_perf"

    def run(self, setting, target, workload):
        mask = sum(1 << processor for processor in setting.processors[:1])
        command = [
            setting.programs[self.program],
            "-q",
            str(workload.depth * workload.connections),
            "-o",
            str(workload.block_bytes),
            "-w",
            workload.pattern,
            "-t",
            str(setting.seconds),
            "-a",
            str(setting.ramp_seconds),
            "-c",
            hex(mask),
            "-P",
            str(workload.connections),
            "-r",
            # Left to itself it connects with an empty host NQN, which only SPDK's target lets in.
            f"trtype:TCP adrfam:IPv4 traddr:127.0.0.1 trsvcid:{target.port} subnqn:{target.subsystem} "
            f"ns:{workload.namespace} hostnqn:nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-00007370646b",
            *spdk_memory_options(1024),
        ]
        command += ["-H", "-I"] * workload.digests + ["-L"] * bool(self.options.get("latency"))
        outcome = measure(
            command,
            setting.processors[:1],
            marker="Launching workers",
            seconds=setting.ramp_seconds + setting.seconds,
            companion=target.process.pid,
        )
        total = re.search(r"^Total\s*:\s*([\d.]+)", outcome.standard_output, re.MULTILINE)
        if not total or float(total.group(1)) <= 0:
            raise MeasurementError(f"spdk_nvme_perf printed no total: {outcome.standard_error.strip()[-300:]}")
        if "errors occurred" in outcome.standard_output + outcome.standard_error:
            raise MeasurementError("spdk_nvme_perf: I/O failed")
        return figures(
            float(total.group(1)),
            workload.block_bytes,
            marked_cpu(outcome, setting),
            spdk_percentiles(outcome.standard_output),
        )


class BdevPerf(Initiator):
    """bdevperf over bdev_nvme."""

    program = "bdevperf"

    def can(self, workload):
        return workload.connections == 1

    def run(self, setting, target, workload):
        mask = sum(1 << processor for processor in setting.processors[:1])
        document = {
            "subsystems": [
                {
                    "subsystem": "bdev",
                    "config": [
                        {
                            "method": "bdev_nvme_attach_controller",
                            "params": {
                                "name": "Nvme",
                                "trtype": "TCP",
                                "adrfam": "IPv4",
                                "traddr": "127.0.0.1",
                                "trsvcid": str(target.port),
                                "subnqn": target.subsystem,
                                "hdgst": workload.digests,
                                "ddgst": workload.digests,
                            },
                        }
                    ],
                }
            ]
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json") as configuration:
            json.dump(document, configuration)
            configuration.flush()
            command = [
                setting.programs[self.program],
                "-c",
                configuration.name,
                "-q",
                str(workload.depth),
                "-o",
                str(workload.block_bytes),
                "-w",
                workload.pattern,
                "-t",
                str(setting.seconds + setting.ramp_seconds),
                "-m",
                hex(mask),
                "--disable-cpumask-locks",
                "-T",
                f"Nvmen{workload.namespace}",
                *spdk_memory_options(1024),
            ]
            outcome = measure(
                command,
                setting.processors[:1],
                marker="Running I/O",
                seconds=setting.ramp_seconds + setting.seconds,
                companion=target.process.pid,
            )
        # runtime is not in the total's line: IOPS, MiB/s, failed and timed out a second, then latencies
        total = re.search(r"Total\s*:\s*([\d.]+)\s+[\d.]+\s+([\d.]+)\s+([\d.]+)", outcome.standard_output)
        if not total or float(total.group(1)) <= 0:
            raise MeasurementError(f"bdevperf printed no total: {outcome.standard_error.strip()[-300:]}")
        if float(total.group(2)) or float(total.group(3)):
            raise MeasurementError("bdevperf: I/O failed or timed out")
        return figures(float(total.group(1)), workload.block_bytes, marked_cpu(outcome, setting))


class LibnvmfFio(Initiator):
    """libnvmf's nvmf-fio."""

    program = "nvmf-fio"

    def can(self, workload):
        return workload.is_random and not workload.digests and workload.connections == 1

    def run(self, setting, target, workload):
        program = setting.programs[self.program]
        runtime = setting.seconds + setting.ramp_seconds + 1
        command = [
            program,
            f"--bs={workload.block_bytes}",
            f"--iodepth={workload.depth}",
            "--ioqueues=1",
            f"--runtime={runtime}",
            f"--{workload.pattern}",
            f"--filename=nvmf-tcp://127.0.0.1:{target.port}/{target.subsystem}/{workload.namespace}",
        ]
        library = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(program))), "lib")
        outcome = measure(
            command,
            setting.processors,
            marker="NVMf ctrl conf",
            seconds=runtime,
            companion=target.process.pid,
            environment={"LD_LIBRARY_PATH": library},
        )
        if "req failed" in outcome.standard_output:
            raise MeasurementError("nvmf-fio: I/O failed")
        counts = [int(count) for count in re.findall(r"IOPS (\d+)", outcome.standard_output)]
        counts = counts[setting.ramp_seconds : setting.ramp_seconds + setting.seconds]
        if not counts or not sum(counts):
            raise MeasurementError(f"nvmf-fio printed no IOPS: {outcome.standard_output.strip()[-300:]}")
        return figures(sum(counts) / len(counts), workload.block_bytes, marked_cpu(outcome, setting))
