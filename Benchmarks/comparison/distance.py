"""How far apart two processors are: what a cache line takes from one to the other.

A virtual machine's processors are moved by the host. Whether they share a core, a cache or neither makes two processes that
talk to each other two to three times as fast or slow. So each run is told the distance before and behind it, and only runs
at the same distance are held against each other."""

import subprocess
import time

from .processes import MeasurementError

# Beside one another: measured twice in a row it differs by less, and the steps between core, cache and die are larger.
SAME_WITHIN = 1.6
# Between two looks while the wanted distance is waited for.
PAUSE_SECONDS = 0.2


class Distance:
    def __init__(self, program, processors, wanted=None, patience_seconds=30):
        """`wanted`: (least, most) nanoseconds, or None; `processors`: of initiator and target."""
        self.program = program
        self.processors = processors
        self.wanted = wanted
        self.patience_seconds = patience_seconds

    def measure(self):
        """Nanoseconds; None where there is but one processor."""
        here, there = self.processors
        if here == there:
            return None
        result = subprocess.run(
            [self.program, str(here), str(there)], capture_output=True, text=True, timeout=30, check=False
        )
        if result.returncode != 0:
            raise MeasurementError(result.stderr.strip())
        return float(result.stdout)

    def is_wanted(self, nanoseconds):
        return self.wanted is None or nanoseconds is None or self.wanted[0] <= nanoseconds <= self.wanted[1]

    def wait(self):
        """The distance, once it is what is wanted; or what it is when patience ends."""
        end = time.monotonic() + self.patience_seconds
        while True:
            nanoseconds = self.measure()
            if self.is_wanted(nanoseconds) or time.monotonic() > end:
                return nanoseconds
            time.sleep(PAUSE_SECONDS)


def is_same(runs):
    """Whether all runs were made, from beginning to end, at one distance. Unknown ones count as the same."""
    known = [nanoseconds for run in runs for nanoseconds in run.get("distance_ns") or [] if nanoseconds]
    return not known or max(known) <= min(known) * SAME_WITHIN
