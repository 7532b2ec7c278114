"""Medians, ratios of pairs, verdicts, and the table."""

from statistics import median

from . import distance

FIGURES = {
    "iops": "IOPS",
    "bytes_per_second": "bandwidth",
    "cpu_us_per_io": "CPU an I/O",
    "user_cpu_us_per_io": "user CPU an I/O",
    "cpu_ns_per_kib": "CPU a byte",
    "p50": "p50",
    "p99.9": "p99.9",
}


def value_of(run, figure):
    """A figure of one run; None where the run failed or the program does not tell."""
    if run is None or "failure" in run:
        return None
    if figure in ("p50", "p99", "p99.9"):
        return run.get("latency_us", {}).get(figure)
    return run.get(figure)


def values_of(runs, figure):
    return [value for value in (value_of(run, figure) for run in runs) if value is not None]


def is_disturbed(run):
    """Whether other processes used more than a tenth of a processor meanwhile."""
    return (run.get("others_cpu_share") or 0) > 0.1


def spread(values):
    return {"median": median(values), "min": min(values), "max": max(values), "count": len(values)} if values else None


def summarise(runs):
    """Median and spread of every figure of a case."""
    names = [
        "iops",
        "bytes_per_second",
        "cpu_us_per_io",
        "user_cpu_us_per_io",
        "system_cpu_us_per_io",
        "cpu_ns_per_kib",
        "p50",
        "p99",
        "p99.9",
    ]
    result = {name: spread(values_of(runs, name)) for name in names}
    return {name: value for name, value in result.items() if value}


def text_of(figure, value):
    if figure == "iops":
        return f"{value / 1e6:.3f}M" if value >= 1e6 else f"{value / 1000:.1f}k"
    if figure == "bytes_per_second":
        return f"{value / (1 << 20):.0f} MiB/s"
    if figure == "cpu_ns_per_kib":
        return f"{value:.0f} ns/KiB"
    return f"{value:.3f} us" if value < 10 else f"{value:.1f} us"


def best_of(names, figure, measured, is_better_large):
    """The case with the best median of a figure; None where none of them has it."""
    candidates = [name for name in names if values_of(measured.get(name, []), figure)]
    if not candidates:
        return None
    return (max if is_better_large else min)(
        candidates, key=lambda name: median(values_of(measured[name], figure))
    )


def ratios_of(figure, own, others):
    """Of the rounds in which both were measured, with processors as far apart for one as for the other."""
    pairs = [
        (value_of(first, figure), value_of(second, figure))
        for first, second in zip(own, others)
        if distance.is_same([first, second])
    ]
    return [first / second for first, second in pairs if first is not None and second]


def meets(check, ratio):
    """Whether a ratio is what is wanted; None where no ratio is."""
    if check.at_least is not None and ratio < check.at_least or check.at_most is not None and ratio > check.at_most:
        return False
    return None if check.at_least is None and check.at_most is None else True


def evaluate(check, measured):
    """A check against the cases of its row, `measured`: name -> list of runs, in the order of the pairs."""
    is_better_large = check.at_most is None and check.figure in ("iops", "bytes_per_second")
    own = measured.get(check.ours, [])
    result = {
        "text": check.text,
        "figure": check.figure,
        "ours": check.ours,
        "at_least": check.at_least,
        "at_most": check.at_most,
        "value_at_most": check.value_at_most,
    }
    own_values = values_of(own, check.figure)
    if not own_values:
        return result | {"verdict": "not measured"}
    result["ours_value"] = median(own_values)
    verdicts = []
    if check.value_at_most is not None:
        verdicts.append(result["ours_value"] <= check.value_at_most)
    best = best_of(check.others, check.figure, measured, is_better_large)
    if best is not None:
        result |= {"against": best, "against_value": median(values_of(measured[best], check.figure))}
        ratios = ratios_of(check.figure, own, measured[best])
        if not ratios:
            return result | {"verdict": "no pair"}
        result["ratio"] = spread(ratios)
        verdicts.append(meets(check, result["ratio"]["median"]))
        yardstick = best_of(check.yardstick, check.figure, measured, is_better_large)
        ratios = ratios_of(check.figure, measured[yardstick], measured[best]) if yardstick else []
        if ratios:
            result["yardstick"] = spread(ratios) | {"name": yardstick, "meets": meets(check, median(ratios))}
    verdicts = [verdict for verdict in verdicts if verdict is not None]
    has_limit = any(limit is not None for limit in (check.at_least, check.at_most, check.value_at_most))
    if not has_limit:
        result["verdict"] = ""
    elif not verdicts:
        result["verdict"] = "no peer"
    else:
        result["verdict"] = "met" if all(verdicts) else "NOT MET"
    return result


HEAD = ["workload", "what", "ours", "against", "", "ratio (min..max)", "wanted", ""]


def table_lines(row):
    """A row's lines of the table, as lists of cells."""
    if "lines" in row:
        return [
            [row["title"], entry["text"], entry["ours"], "", "", "", entry["wanted"], entry["verdict"]]
            for entry in row["lines"]
        ]
    lines = []
    for check in row["checks"]:
        if "ours_value" not in check:
            lines.append([row["title"], check["text"], "-", "", "", "", "", check["verdict"]])
            continue
        if check["verdict"] == "" and "ratio" not in check:
            continue  # only for comparison, and there is nothing to compare with
        wanted = []
        if check["at_least"] is not None:
            wanted.append(f">= {check['at_least']:g}")
        if check["at_most"] is not None:
            wanted.append(f"<= {check['at_most']:g}")
        if check["value_at_most"] is not None:
            wanted.append(f"<= {check['value_at_most']:g} us")
        ratio = check.get("ratio")
        yardstick = check.get("yardstick")
        if yardstick and check["verdict"] == "NOT MET":
            wanted.append(f"(limit {yardstick['median']:.2f})")
        lines.append(
            [
                row["title"],
                check["text"],
                text_of(check["figure"], check["ours_value"]),
                check.get("against", "-"),
                text_of(check["figure"], check["against_value"]) if "against_value" in check else "",
                f"{ratio['median']:.2f} ({ratio['min']:.2f}..{ratio['max']:.2f})" if ratio else "",
                " ".join(wanted),
                check["verdict"],
            ]
        )
    disturbed = sum(is_disturbed(run) for case in row["cases"].values() for run in case["runs"])
    if disturbed:
        total = sum(len(case["runs"]) for case in row["cases"].values())
        lines.append([row["title"], "runs disturbed by others", f"{disturbed} of {total}", "", "", "", "0", "DOUBTFUL"])
    runs = [run for case in row["cases"].values() for run in case["runs"]]
    moved = sum(not distance.is_same([run]) for run in runs)
    if moved:
        text = "runs while a processor moved: in no ratio"
        lines.append([row["title"], text, f"{moved} of {len(runs)}", "", "", "", "", ""])
    for name, case in row["cases"].items():
        failures = [run["failure"] for run in case["runs"] if "failure" in run]
        if failures:
            lines.append(
                [
                    row["title"],
                    f"{name}: runs that failed",
                    f"{len(failures)} of {len(case['runs'])}",
                    "",
                    "",
                    "",
                    "0",
                    "FAILED",
                ]
            )
    return lines


def table(rows, is_markdown=False):
    lines = [cells for row in rows for cells in table_lines(row)]
    if is_markdown:
        text = "| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD) + "\n"
        return text + "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
    widths = [max(len(cells[column]) for cells in [HEAD, *lines]) for column in range(len(HEAD))]
    text, previous = "", None
    for cells in [HEAD, *lines]:
        # The workload once, so that its lines stand together.
        shown = ["" if cells[0] == previous else cells[0], *cells[1:]]
        previous = cells[0]
        text += "  ".join(cell.ljust(width) for cell, width in zip(shown, widths)).rstrip() + "\n"
    return text


def case_table(rows, is_markdown=False):
    """Every initiator's own figures, medians: what the ratios are made of."""
    head = ["workload", "initiator", "IOPS", "min..max", "MiB/s", "CPU us/IO", "user", "p50 us", "p99.9 us"]
    lines = []
    for row in rows:
        for name, case in row.get("cases", {}).items():
            summary = case["summary"]
            if "iops" not in summary:
                continue

            def cell(figure, digits, scale=1):
                return f"{summary[figure]['median'] * scale:.{digits}f}" if figure in summary else ""

            lines.append(
                [
                    row["title"],
                    name,
                    text_of("iops", summary["iops"]["median"]),
                    f"{text_of('iops', summary['iops']['min'])}..{text_of('iops', summary['iops']['max'])}",
                    cell("bytes_per_second", 0, 1 / (1 << 20)),
                    cell("cpu_us_per_io", 2),
                    cell("user_cpu_us_per_io", 2),
                    cell("p50", 1),
                    cell("p99.9", 1),
                ]
            )
    if is_markdown:
        text = "| " + " | ".join(head) + " |\n|---|---|" + "--:|" * (len(head) - 2) + "\n"
        return text + "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
    widths = [max(len(cells[column]) for cells in [head, *lines]) for column in range(len(head))]
    text, previous = "", None
    for cells in [head, *lines]:
        shown = ["" if cells[0] == previous else cells[0], *cells[1:]]
        previous = cells[0]
        text += "  ".join(cell.ljust(width) for cell, width in zip(shown, widths)).rstrip() + "\n"
    return text
