"""What is measured, and what must be reached."""

from dataclasses import dataclass, field

from .initiators import BdevPerf, LibnvmfFio, Ours, SPDKPerf, WireLimit, Workload


@dataclass
class Case:
    """An initiator with a workload: one column of a row's measurements."""

    initiator: object
    workload: Workload


@dataclass
class Check:
    """A figure of ours held against another's, or against a number.

    Against several others the best of them counts, by the same figure. `limit` None: only shown.
    """

    text: str
    figure: str
    ours: str
    others: list = field(default_factory=list)
    at_least: float = None
    at_most: float = None
    # Where the figure itself has a bound, beside or instead of the ratio.
    value_at_most: float = None
    # Variants of the wire limit, whose best is held to the same: what it does not reach is beyond everybody's reach.
    yardstick: list = field(default_factory=list)


@dataclass
class Row:
    identifier: str
    title: str
    cases: dict
    checks: list
    target: str = "main"  # main, or embedded


VARIANTS = ["plain-spin", "plain-wait", "ring-spin", "ring-wait", "multishot-spin", "multishot-wait"]
EVENT_LIMIT = "limit ring-wait"


def limits(workload, variants=VARIANTS):
    return {f"limit {variant}": Case(WireLimit(variant=variant), workload) for variant in variants}


def ours(workload, *waits):
    return {"ours" if wait is None else f"ours {wait}": Case(Ours(wait=wait), workload) for wait in waits}


def small_io_row(pattern, depth, target="main"):
    workload = Workload(pattern=pattern, depth=depth)
    cases = ours(workload, None, "event", "busy")
    cases["spdk"] = Case(SPDKPerf(), workload)
    if pattern == "randread" and target == "main":
        # For percentiles alone: asking for them costs SPDK time.
        cases["spdk -L"] = Case(SPDKPerf(latency=True), workload)
    if depth in (32, 128):
        cases["bdevperf"] = Case(BdevPerf(), workload)
        cases["libnvmf"] = Case(LibnvmfFio(), workload)
    cases |= limits(workload)
    all_limits = [name for name in cases if name.startswith("limit")]
    checks = [
        Check("IOPS", "iops", "ours", ["spdk"], at_least=1.1, yardstick=all_limits),
        Check("IOPS", "iops", "ours", all_limits, at_least=0.95),
    ]
    if depth >= 32:
        checks += [
            Check("CPU an I/O", "cpu_us_per_io", "ours", ["spdk"], at_most=0.5, yardstick=[EVENT_LIMIT]),
            Check("CPU an I/O", "cpu_us_per_io", "ours", [EVENT_LIMIT], at_most=1.3),
            Check("user CPU an I/O", "user_cpu_us_per_io", "ours", [EVENT_LIMIT], value_at_most=0.25),
            Check("default: CPU", "cpu_us_per_io", "ours", ["spdk"], at_most=0.6, yardstick=[EVENT_LIMIT]),
        ]
    checks.append(Check("default: IOPS", "iops", "ours", ["ours event", "ours busy"], at_least=0.95))
    if "spdk -L" in cases:
        checks += [Check(name, name, "ours", ["spdk -L"]) for name in ("p50", "p99.9")]
    if "bdevperf" in cases:
        checks += [
            Check("IOPS", "iops", "ours", ["bdevperf"]),
            Check("CPU an I/O", "cpu_us_per_io", "ours", ["bdevperf"]),
            Check("IOPS", "iops", "ours", ["libnvmf"]),
            Check("CPU an I/O", "cpu_us_per_io", "ours", ["libnvmf"]),
        ]
    suffix = "" if target == "main" else "-embedded"
    return Row(
        f"4k-{pattern}-qd{depth}{suffix}",
        f"4 KiB {pattern}, depth {depth}" + suffix.replace("-", ", target: "),
        cases,
        checks,
        target,
    )


def latency_row(pattern):
    workload = Workload(pattern=pattern, depth=1)
    cases = ours(workload, None, "event", "busy")
    cases["spdk"] = Case(SPDKPerf(latency=True), workload)
    cases |= limits(workload, ["plain-spin", "plain-wait", "ring-spin", "ring-wait"])
    return Row(
        f"4k-{pattern}-qd1",
        f"4 KiB {pattern}, depth 1",
        cases,
        [
            Check("busy: p50", "p50", "ours busy", ["spdk"], at_most=0.85, yardstick=["limit plain-spin"]),
            Check("busy: p99.9", "p99.9", "ours busy", ["spdk"], at_most=1.0, yardstick=["limit plain-spin"]),
            Check("busy: p50", "p50", "ours busy", ["limit plain-spin"], at_most=1.1),
            Check("event: p50", "p50", "ours event", [EVENT_LIMIT], at_most=1.15),
            Check("default: IOPS", "iops", "ours", ["ours event", "ours busy"], at_least=0.95),
        ],
    )


def large_io_row(pattern):
    workload = Workload(pattern=pattern, block_bytes=128 << 10, depth=32)
    digests = workload.with_(digests=True)
    cases = ours(workload, None)
    cases["ours digests"] = Case(Ours(wait=None), digests)
    cases["spdk"] = Case(SPDKPerf(), workload)
    cases["spdk digests"] = Case(SPDKPerf(), digests)
    cases |= limits(workload, ["plain-spin", "plain-wait", "ring-wait", "multishot-wait"])
    all_limits = [name for name in cases if name.startswith("limit")]
    return Row(
        f"128k-{pattern}-qd32",
        f"128 KiB {pattern}, depth 32",
        cases,
        [
            Check("bandwidth", "bytes_per_second", "ours", ["spdk"], at_least=1.0, yardstick=all_limits),
            Check("CPU a byte", "cpu_ns_per_kib", "ours", ["spdk"], at_most=0.6, yardstick=all_limits),
            Check("CPU a byte", "cpu_ns_per_kib", "ours", [EVENT_LIMIT, "limit plain-wait"]),
            Check("digests: bandwidth", "bytes_per_second", "ours digests", ["ours"], at_least=0.9),
            Check("digests: bandwidth", "bytes_per_second", "ours digests", ["spdk digests"], at_least=1.0),
            Check("digests: CPU a byte", "cpu_ns_per_kib", "ours digests", ["spdk digests"]),
        ],
    )


def connections_row():
    workload = Workload(depth=32)
    cases = {}
    for count in (1, 4, 16, 64):
        cases[f"ours x{count}"] = Case(Ours(wait=None), workload.with_(connections=count))
    cases["ours 2 reactors"] = Case(Ours(wait=None, threads=2), workload)
    for count in (1, 4, 16, 64):
        cases[f"spdk x{count}"] = Case(SPDKPerf(), workload.with_(connections=count))
    for count in (1, 4, 16, 64):
        cases[f"limit x{count}"] = Case(WireLimit(variant="ring-wait"), workload.with_(connections=count))
    return Row(
        "connections",
        "4 KiB randread, depth 32 a connection, one reactor",
        cases,
        [
            Check("CPU an I/O, x64", "cpu_us_per_io", "ours x64", ["ours x1"], at_most=1.2),
            Check("CPU an I/O, x16", "cpu_us_per_io", "ours x16", ["ours x1"]),
            Check("CPU an I/O, x4", "cpu_us_per_io", "ours x4", ["ours x1"]),
            Check("CPU an I/O, two reactors", "cpu_us_per_io", "ours 2 reactors", ["ours x1"]),
            Check("SPDK: CPU an I/O, x4", "cpu_us_per_io", "spdk x4", ["spdk x1"]),
            Check("SPDK: CPU an I/O, x64", "cpu_us_per_io", "spdk x64", ["spdk x1"]),
            Check("limit: CPU an I/O, x64", "cpu_us_per_io", "limit x64", ["limit x1"]),
            Check("CPU an I/O, x4", "cpu_us_per_io", "ours x4", ["spdk x4"]),
            Check("IOPS, x64", "iops", "ours x64", ["limit x64"]),
        ],
    )


def async_row():
    workload = Workload(depth=128)
    cases = ours(workload, None)
    cases["ours async"] = Case(Ours(wait=None, face="async"), workload)
    return Row(
        "async",
        "4 KiB randread, depth 128 across tasks",
        cases,
        [
            Check("async: IOPS", "iops", "ours async", ["ours"], at_least=0.7),
            Check("async: CPU an I/O", "cpu_us_per_io", "ours async", ["ours"]),
        ],
    )


def rows():
    """All rows that are a comparison of runs; idle, memory and verify are special."""
    result = [latency_row("randread"), latency_row("randwrite")]
    for pattern in ("randread", "randwrite"):
        result += [small_io_row(pattern, depth) for depth in (4, 32, 128, 512)]
    result += [large_io_row("read"), large_io_row("write"), connections_row(), async_row()]
    result += [small_io_row("randread", 128, "embedded"), small_io_row("randwrite", 128, "embedded")]
    return result
