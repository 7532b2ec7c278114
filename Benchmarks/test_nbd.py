"""What becomes of the processes that Benchmarks/nbd starts: `python3 -m unittest discover -s Benchmarks -t Benchmarks`."""

import contextlib
import importlib.machinery
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nbd")


def load():
    loader = importlib.machinery.SourceFileLoader("nbd", SCRIPT)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("nbd", loader))
    loader.exec_module(module)
    return module


nbd = load()

# Stands for `nvmeof`: notes its process identifier, and does as it is told for each of its commands.
TOOL = """#!{python}
import os, signal, socket, sys, time
with open(os.path.join({directory!r}, "processes"), "a") as file:
    print(os.getpid(), file=file, flush=True)
behaviour = {behaviour!r}[sys.argv[1]]
signal.signal(signal.SIGINT, signal.SIG_IGN if "stubborn" in behaviour else signal.SIG_DFL)
if "target" in behaviour:
    print('{{"namespaces": ["nvme://place"], "host": "127.0.0.1", "port": 1, "nqn": "nqn"}}', flush=True)
if "serve" in behaviour:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[sys.argv.index("--socket") + 1])
    listener.listen()
if "fail" in behaviour:
    sys.exit(1)
time.sleep(60)
"""


class Processes(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        for name, seconds in (("START_SECONDS", 0.5), ("STOP_SECONDS", 0.5)):
            patch = mock.patch.object(nbd, name, seconds)
            patch.start()
            self.addCleanup(patch.stop)

    def tool(self, **behaviour):
        path = os.path.join(self.directory, "tool")
        with open(path, "w", encoding="utf-8") as file:
            file.write(TOOL.format(python=sys.executable, directory=self.directory, behaviour=behaviour))
        os.chmod(path, 0o755)
        return path

    def server(self, name, **behaviour):
        return nbd.Server(name, 4096, self.directory, self.tool(**behaviour), "adaptive")

    def alive(self):
        """Of the processes that there have been, those that there are, and how many there have been."""
        with open(os.path.join(self.directory, "processes"), encoding="ascii") as file:
            processes = [int(line) for line in file]
        return [process for process in processes if os.path.exists(f"/proc/{process}")], len(processes)

    def test_a_server_that_ends_at_once(self):
        with self.assertRaisesRegex(SystemExit, "nvme does not serve"):
            self.server("nvme", target="target", export="fail")
        self.assertEqual(self.alive(), ([], 2))

    def test_a_server_that_never_serves(self):
        with self.assertRaisesRegex(SystemExit, "nvme does not serve"):
            self.server("nvme", target="target", export="silent")
        self.assertEqual(self.alive(), ([], 2))

    def test_a_target_that_says_nothing(self):
        with self.assertRaisesRegex(SystemExit, "the target for nvme does not start"):
            self.server("nvme", target="fail")
        self.assertEqual(self.alive(), ([], 1))

    def test_one_that_does_not_end_is_killed_and_so_are_the_others(self):
        with self.assertRaisesRegex(ValueError, "amid"):
            with self.server("nvme", target="target stubborn", export="serve stubborn"):
                self.assertEqual(len(self.alive()[0]), 2)
                raise ValueError("amid")
        self.assertEqual(self.alive(), ([], 2))

    def test_an_interrupt_while_one_is_ended(self):
        server = self.server("nvme", target="target", export="serve")
        wait = subprocess.Popen.wait
        with mock.patch.object(subprocess.Popen, "wait", autospec=True) as patched:
            patched.side_effect = lambda process, timeout=None: (
                wait(process) if timeout is None else (_ for _ in ()).throw(KeyboardInterrupt()))
            with self.assertRaises(KeyboardInterrupt):
                with server:
                    pass
        self.assertEqual(self.alive(), ([], 2))

    def test_the_script_is_terminated(self):
        tool = self.tool(target="target", export="silent")
        script = subprocess.Popen(
            [sys.executable, "-B", SCRIPT, "--servers", "nvme", "--size", "1", "--binary", tool],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 15
        while time.monotonic() < limit:
            with contextlib.suppress(OSError):
                if self.alive()[1] == 2:
                    break
            time.sleep(0.02)
        script.send_signal(signal.SIGTERM)
        self.assertEqual(script.wait(30), 128 + signal.SIGTERM)
        self.assertEqual(self.alive(), ([], 2))


if __name__ == "__main__":
    unittest.main()
