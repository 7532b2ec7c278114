"""A real nvmeofd, and the ways to it, for tests."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from spdk.rpc.client import JSONRPCClient, JSONRPCException

NVMEOFD = os.environ["NVMEOFD"]
NVMEOF = os.environ["NVMEOF"]
SPDK_RPC = os.environ["SPDK_RPC"]
RELEASE = os.environ["SPDK_RELEASE"]
# Long for a machine that is slow; nothing asserts on time.
PATIENCE = 60


class RPCFailure(Exception):
    """What the daemon answered instead of a result."""

    def __init__(self, code, message):
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


class Daemon:
    """A process of nvmeofd with a directory of its own."""

    def __init__(self, *options, directory=None, ready=True):
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="nvmeofd-")
        self.socket = os.path.join(self.directory, "rpc.sock")
        self.log_path = os.path.join(self.directory, "log")
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [NVMEOFD, "--rpc-socket", self.socket, "--hostnqn", "nqn.2014-08.org.example:host", *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "HOME": self.directory, "XDG_CONFIG_HOME": self.directory})
        if ready:
            self.wait_until_served()

    def wait_until_served(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"nvmeofd ended with {self.process.returncode}:\n{self.log_text()}")
            # More than a connect: one to the socket of a daemon that was killed may still succeed for a moment.
            with contextlib.suppress(OSError), self.connect() as connection:
                connection.sendall(b'{"method":"spdk_get_version","id":1}')
                if connection.recv(4096):
                    return
            time.sleep(0.02)
        raise AssertionError("nvmeofd does not serve its socket")

    def connect(self):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(PATIENCE)
        try:
            connection.connect(self.socket)
        except OSError:
            connection.close()
            raise
        return connection

    def client(self):
        return JSONRPCClient(self.socket, timeout=PATIENCE)

    def call(self, method, params=None):
        """One call by the client's own code, on a connection of its own."""
        with contextlib.closing(self.client()) as client:
            return call(client, method, params)

    def command(self, *words, input=None):
        """spdk-rpc: its exit status and what it prints."""
        done = subprocess.run(
            [SPDK_RPC, "-s", self.socket, "-t", str(PATIENCE), *words], input=input, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    def command_json(self, *words):
        status, output, errors = self.command(*words)
        if status != 0:
            raise AssertionError(f"spdk-rpc {' '.join(words)}: {output}{errors}")
        return json.loads(output)

    def log_text(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def stop(self):
        """Ends it in order; returns its exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait()
        self.log.close()
        return status

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)


class Target:
    """A process of `nvmeof target`; `lines` change it while it runs."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [NVMEOF, "target", "--port", "0", "-o", "json", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.description = json.loads(self.process.stdout.readline())

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def remove(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def call(client, method, params=None):
    """The client tells of an error by a text, at whose end the error object is."""
    try:
        return client.call(method, params)
    except JSONRPCException as failure:
        _, found, text = failure.message.rpartition("response:\n")
        if not found or "Got JSON-RPC error" not in failure.message:
            raise
        error = json.loads(text)
        raise RPCFailure(error["code"], error["message"]) from failure


class DaemonTest(unittest.TestCase):
    """Tests that share a daemon, which must be as well at their end as at their beginning."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(*cls.options)

    @classmethod
    def tearDownClass(cls):
        try:
            alive = cls.daemon.process.poll() is None
            status = cls.daemon.stop()
            if not alive or status != 0:
                raise AssertionError(f"nvmeofd ended with {status}:\n{cls.daemon.log_text()}")
        finally:
            cls.daemon.remove()

    def assertFails(self, code, message, method, params=None):
        with self.assertRaises(RPCFailure) as caught:
            self.daemon.call(method, params)
        self.assertEqual((caught.exception.code, caught.exception.message), (code, message), f"{method} {params}")
