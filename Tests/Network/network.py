"""See run."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import traceback

import json

PREFIX = f"nvmeof{os.getpid()}"
AT_ONCE = 6


def sweep(prefix):
    """Network namespaces, whoever left them."""
    for line in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout.splitlines():
        name = line.split()[0]
        match = re.fullmatch(r"nvmeof(\d+)-[a-z0-9-]+-(?:compute|network|storage)", name)
        if match and (name.startswith(f"{prefix}-") if prefix else not os.path.exists(f"/proc/{match.group(1)}")):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def play(name, prefix):
    """One case, in a process of its own."""
    from cases import CASES
    from world import World
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    world = None
    try:
        world = World(name, prefix, **CASES[name].world)
        outcome = CASES[name](world)
        print(json.dumps(outcome))
    except Exception:
        traceback.print_exc(file=sys.stdout)
        if world:
            world.tell()
        sys.exit(1)
    finally:
        # Nothing is left of it, whatever else comes.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if world:
            world.clean_up()


class Runner:
    def __init__(self, names, shows):
        self.waiting = list(names)
        self.shows = shows
        self.running = {}
        self.failed = []

    def run(self):
        while self.waiting or self.running:
            while self.waiting and len(self.running) < AT_ONCE:
                name = self.waiting.pop(0)
                output = open(os.path.join(self.directory(), name), "w+", encoding="utf-8")
                self.running[name] = (subprocess.Popen(
                    [sys.executable, "-B", __file__, "--play", name, PREFIX], stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True), output, time.monotonic())
            time.sleep(0.1)
            for name, (process, output, start) in list(self.running.items()):
                if process.poll() is not None:
                    del self.running[name]
                    output.seek(0)
                    self.tell(name, process.returncode, output.read(), time.monotonic() - start)
                    output.close()

    @staticmethod
    def directory():
        path = f"/tmp/{PREFIX}"
        os.makedirs(path, exist_ok=True)
        return path

    def tell(self, name, status, output, seconds):
        if status != 0:
            self.failed.append(name)
            print(f"network: {name}: FAILED after {seconds:.0f} s\n{output}", flush=True)
            return
        outcome = json.loads(output.splitlines()[-1])
        words = [f"{what} {outcome[key]:.1f} s" for key, what in (
            ("noticed", "noticed after"), ("longest", "longest I/O"), ("returned", "back after")) if key in outcome]
        print(f"network: {name}: {', '.join([*words, outcome['client']])} ({seconds:.0f} s)", flush=True)
        for line in outcome.get("told", []) if self.shows else []:
            print(f"    {line}")

    def clean_up(self):
        for process, output, _ in self.running.values():
            process.terminate()
        for process, output, _ in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            output.close()
        sweep(PREFIX)
        subprocess.run(["rm", "-rf", self.directory()], check=False)


def main():
    from cases import CASES
    words = sys.argv[1:]
    shows = "--show" in words
    words = [word for word in words if word != "--show"]
    if words == ["--list"]:
        for name, function in CASES.items():
            print(f"{name}: {function.__doc__}{' (quick)' if function.quick else ''}")
        return 0
    if words == ["--quick"]:
        words = [name for name, function in CASES.items() if function.quick]
    for word in words:
        if word not in CASES:
            print(f"network: no case '{word}' (try --list)", file=sys.stderr)
            return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    sweep(None)
    runner = Runner(words or CASES, shows)
    start = time.monotonic()
    try:
        runner.run()
    except KeyboardInterrupt:
        return 130
    finally:
        runner.clean_up()
    if runner.failed:
        print(f"network: FAILED: {', '.join(runner.failed)}", file=sys.stderr)
        return 1
    print(f"network: passed, {time.monotonic() - start:.0f} s")
    return 0


if sys.argv[1:2] == ["--play"]:
    play(*sys.argv[2:])
else:
    sys.exit(main())
