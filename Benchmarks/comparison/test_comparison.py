"""What needs no machine: `python3 -m unittest discover -s Benchmarks -t Benchmarks`."""

import unittest

from . import distance, profile, report
from .initiators import spdk_percentiles
from .processes import CPUTime, MeasurementError, Outcome, cpu_use
from .rows import Check, rows


def run(**figures):
    return figures


class Verdicts(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round(self):
        # The machine halves its speed in the second round: the ratio does not notice.
        measured = {"ours": [run(iops=120), run(iops=60)], "spdk": [run(iops=100), run(iops=50)]}
        result = report.evaluate(Check("IOPS", "iops", "ours", ["spdk"], at_least=1.1), measured)
        self.assertAlmostEqual(result["ratio"]["min"], 1.2)
        self.assertAlmostEqual(result["ratio"]["max"], 1.2)
        self.assertEqual(result["verdict"], "met")

    def test_the_best_of_several_counts(self):
        measured = {"ours": [run(iops=100)], "slow": [run(iops=50)], "fast": [run(iops=110)]}
        result = report.evaluate(Check("IOPS", "iops", "ours", ["slow", "fast"], at_least=0.95), measured)
        self.assertEqual(result["against"], "fast")
        self.assertEqual(result["verdict"], "NOT MET")
        measured = {"ours": [run(cpu_us_per_io=1)], "dear": [run(cpu_us_per_io=3)], "cheap": [run(cpu_us_per_io=0.9)]}
        result = report.evaluate(Check("CPU", "cpu_us_per_io", "ours", ["dear", "cheap"], at_most=1.3), measured)
        self.assertEqual(result["against"], "cheap")
        self.assertEqual(result["verdict"], "met")

    def test_failed_runs_make_no_pair(self):
        measured = {
            "ours": [run(iops=100), run(failure="x"), run(iops=100)],
            "spdk": [run(failure="x"), run(iops=1), run(iops=50)],
        }
        result = report.evaluate(Check("IOPS", "iops", "ours", ["spdk"], at_least=1.1), measured)
        self.assertEqual(result["ratio"]["count"], 1)

    def test_runs_at_different_distances_make_no_pair(self):
        measured = {
            "ours": [run(iops=100, distance_ns=[50, 55]), run(iops=99, distance_ns=[52, 250]), run(iops=40, distance_ns=[250, 240])],
            "spdk": [run(iops=80, distance_ns=[50, 50]), run(iops=80, distance_ns=[50, 52]), run(iops=80, distance_ns=[51, 52])],
        }
        check = Check("IOPS", "iops", "ours", ["spdk"], at_least=1.1)
        result = report.evaluate(check, measured)
        self.assertEqual(result["ratio"]["count"], 1)
        self.assertAlmostEqual(result["ratio"]["median"], 1.25)
        row = {"title": "row", "checks": [result], "cases": {name: {"runs": runs} for name, runs in measured.items()}}
        self.assertIn("1 of 6", report.table([row]))
        for runs in measured.values():
            del runs[0]
        self.assertEqual(report.evaluate(check, measured)["verdict"], "no pair")

    def test_without_a_peer_nothing_is_met(self):
        measured = {"ours": [run(iops=100)]}
        self.assertEqual(
            report.evaluate(Check("IOPS", "iops", "ours", ["spdk"], at_least=1.1), measured)["verdict"], "no peer"
        )
        self.assertEqual(
            report.evaluate(Check("IOPS", "iops", "nobody", ["ours"], at_least=1), measured)["verdict"], "not measured"
        )

    def test_a_bound_on_the_figure_itself(self):
        measured = {"ours": [run(user_cpu_us_per_io=0.3)]}
        check = Check("user CPU", "user_cpu_us_per_io", "ours", value_at_most=0.25)
        self.assertEqual(report.evaluate(check, measured)["verdict"], "NOT MET")

    def test_what_the_limit_itself_does_not_reach_is_told(self):
        check = Check("CPU", "cpu_us_per_io", "ours", ["spdk"], at_most=0.5, yardstick=["limit a", "limit b"])
        measured = {
            "ours": [run(cpu_us_per_io=0.9)],
            "spdk": [run(cpu_us_per_io=1.0)],
            "limit a": [run(cpu_us_per_io=0.8)],
            "limit b": [run(cpu_us_per_io=0.7)],
        }
        result = report.evaluate(check, measured)
        self.assertEqual(result["verdict"], "NOT MET")
        self.assertEqual(result["yardstick"]["name"], "limit b")
        self.assertAlmostEqual(result["yardstick"]["median"], 0.7)
        self.assertFalse(result["yardstick"]["meets"])
        row = {"title": "row", "checks": [result], "cases": {}}
        self.assertIn("(limit 0.70)", report.table([row]))
        measured["ours"] = [run(cpu_us_per_io=0.4)]
        row["checks"] = [report.evaluate(check, measured)]
        self.assertNotIn("(limit", report.table([row]))

    def test_checks_name_cases_of_their_row(self):
        names = set()
        for row in rows():
            self.assertNotIn(row.identifier, names)
            names.add(row.identifier)
            for check in row.checks:
                for name in [check.ours, *check.others, *check.yardstick]:
                    self.assertIn(name, row.cases, row.identifier)


class Distances(unittest.TestCase):
    def test_unknown_distances_are_the_same(self):
        self.assertTrue(distance.is_same([run(iops=1), run(iops=1, distance_ns=[None, None])]))
        self.assertTrue(distance.is_same([run(iops=1), run(iops=1, distance_ns=[50, 60])]))
        self.assertFalse(distance.is_same([run(iops=1, distance_ns=[50, 250])]))

    def test_what_is_wanted_is_waited_for(self):
        found = [250.0, 25.0, 60.0, 250.0]
        probe = distance.Distance("none", (1, 0), (35, 90))
        probe.measure = lambda: found.pop(0)
        self.assertEqual(probe.wait(), 60.0)
        self.assertEqual(distance.Distance("none", (1, 0), (35, 90), patience_seconds=-1).is_wanted(91), False)

    def test_patience_ends(self):
        probe = distance.Distance("none", (1, 0), (35, 90), patience_seconds=-1)
        probe.measure = lambda: 250.0
        self.assertEqual(probe.wait(), 250.0)

    def test_one_processor_has_no_distance(self):
        self.assertIsNone(distance.Distance("none", (1, 1)).measure())


class Reading(unittest.TestCase):
    def test_percentiles_of_spdk(self):
        text = " 50.00000% :    74.361us\n 99.00000% :   301.000us\n 99.90000% :   340.114us\n"
        self.assertEqual(spdk_percentiles(text), {"p50": 74.361, "p99": 301.0, "p99.9": 340.114})

    def test_cpu_of_a_window(self):
        first = CPUTime(10, 1, 1, {"a": 2.0, "gone": 1.0})
        last = CPUTime(12, 1.5, 2.5, {"a": 3.0, "new": 1.0})
        use = cpu_use(first, last)
        self.assertAlmostEqual(use.total, 1.0)
        self.assertAlmostEqual(use.user, 0.25)

    def test_what_others_use_is_seen(self):
        first = CPUTime(0, 0, 0, {"a": 0.0}, machine=0, companion=0)
        last = CPUTime(2, 0, 2, {"a": 2.0}, machine=5, companion=2)
        self.assertAlmostEqual(cpu_use(first, last).others, 0.5)
        self.assertTrue(report.is_disturbed({"others_cpu_share": 0.5}))
        self.assertFalse(report.is_disturbed({"others_cpu_share": None}))

    def test_samples_outside_the_measured_time_do_not_count(self):
        samples = [
            CPUTime(moment, 0, busy, {"a": busy}) for moment, busy in ((0, 0), (1, 5), (2, 5.5), (3, 6), (4, 60))
        ]
        self.assertAlmostEqual(Outcome("", "", samples, []).cpu(0.9, 3.1).total, 0.5)
        with self.assertRaises(MeasurementError):
            Outcome("", "", samples, []).cpu(1.5, 2.5)


class Profiles(unittest.TestCase):
    TEXT = """\
 27279  4711.000100:  ffffffff81706445 fdget ([kernel.kallsyms])
 27279  4711.000200:  ffffffff81706446 fdget ([kernel.kallsyms])
 27279  4711.000300:  ffffffff81706447 _copy_to_iter ([kernel.kallsyms])
 27279  4711.000400:      5597eb208ea2 $s13BenchmarkCore9JobRunnerV5driveyyF (/a path/with spaces (and more)/bench)
 27279  4720.000500:      5597eb208ea2 late (/usr/bin/bench)
   999  4711.000500:                 0 [unknown] ([unknown])
perf: a line that is none
"""

    def test_samples_of_a_process_within_the_window(self):
        found = profile.parse(self.TEXT, 4711, 4712)
        self.assertEqual(sorted(found), [999, 27279])
        divided = found[27279].divide(8.0)
        self.assertEqual(divided["samples"], 4)
        self.assertAlmostEqual(divided["parts"][profile.KERNEL_CALL], 4.0)
        self.assertAlmostEqual(divided["parts"][profile.KERNEL_COPY], 2.0)
        self.assertAlmostEqual(divided["parts"][profile.GENERATOR], 2.0)
        self.assertAlmostEqual(sum(divided["parts"].values()), 8.0)

    def test_what_symbols_belong_to(self):
        for symbol, is_kernel, part in (
            ("tcp_schedule_loss_probe", True, profile.KERNEL_NETWORK),
            ("finish_task_switch.isra.0", True, profile.KERNEL_WAKE),
            ("__do_sys_io_uring_enter", True, profile.KERNEL_CALL),
            ("rep_movs_alternative", True, profile.KERNEL_COPY),
            ("__pv_queued_spin_lock_slowpath", True, profile.KERNEL_NETWORK),
            ("__memmove_avx512_unaligned_erms", False, profile.COPYING),
            ("copy_extend_avx512", False, profile.CHECKSUM),
            ("crc32_iscsi_by16_10", False, profile.CHECKSUM),
            ("task_complete", False, profile.GENERATOR),
            ("nvme_tcp_read_pdu", False, profile.PROGRAM),
        ):
            self.assertEqual(profile.part_of(symbol, is_kernel), part, symbol)

    def test_no_samples_are_no_profile(self):
        with self.assertRaises(MeasurementError):
            profile.Samples(profile.Counter()).divide(1.0)


if __name__ == "__main__":
    unittest.main()
