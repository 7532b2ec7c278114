"""`nvmeof target` for tests, with lines that change it while it runs."""
import json
import os
import subprocess
import threading

NVMEOF = os.environ["NVMEOF"]


class Target:
    def __init__(self, subsystem, *options, before=(), **process):
        """`before` is what the command is run by; `process` is Popen's."""
        self.subsystem = subsystem
        self.lock = threading.Lock()
        self.process = subprocess.Popen(
            [*before, NVMEOF, "target", "--nqn", subsystem, *options, "-o", "json"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **process)
        line = self.process.stdout.readline()
        assert line, "nvmeof target does not start"
        self.ports = [str(port["port"]) for port in json.loads(line)["ports"]]

    def say(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        assert answer["ok"], f"{line}: {answer}"
