"""Configurations: through the client's save_config and load_config, and in the daemon's own file."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import unittest.mock

from daemon import NVMEOFD, PATIENCE, Daemon


def entries(document):
    return [call for subsystem in document["subsystems"] for call in subsystem["config"] or []]


class ConfigurationTests(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="nvmeofd-")
        self.addCleanup(self.directory.cleanup)
        self.daemons = []
        self.key = os.path.join(self.directory.name, "key")
        with open(self.key, "w", encoding="utf-8") as file:
            file.write("secret")
        os.chmod(self.key, 0o600)
        self.file = os.path.join(self.directory.name, "config.json")

    def tearDown(self):
        for daemon in self.daemons:
            daemon.remove()

    def start(self, *options):
        daemon = Daemon(*options)
        self.daemons.append(daemon)
        return daemon

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.02)

    def test_save_and_load_by_the_client(self):
        first = self.start("--wait-for-rpc")
        first.call("bdev_set_options", {"bdev_io_pool_size": 2048, "bdev_auto_examine": False})
        self.assertEqual(first.command("framework_start_init")[0], 0)
        first.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        first.call("bdev_nvme_set_options", {"ctrlr_loss_timeout_sec": 15, "reconnect_delay_sec": 2,
                                             "fast_io_fail_timeout_sec": 10})
        status, saved, errors = first.command("save_config")
        self.assertEqual(status, 0, errors)
        second = self.start("--wait-for-rpc")
        status, output, errors = second.command("load_config", input=saved)
        self.assertEqual(status, 0, output + errors)
        again = second.command("save_config")[1]
        self.assertEqual(json.loads(again), json.loads(saved))
        self.assertIn(
            {"method": "keyring_file_add_key", "params": {"name": "k1", "path": self.key}}, entries(json.loads(again)))
        status, part, errors = second.command("save_subsystem_config", "-n", "keyring")
        self.assertEqual(status, 0, errors)
        self.assertEqual(json.loads(part)["subsystem"], "keyring")

    def test_a_saved_configuration_is_one_to_start_with(self):
        first = self.start()
        first.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(first.command("save_config")[1])
        second = self.start("--config", self.file)
        self.wait_for(lambda: [key["name"] for key in second.call("keyring_get_keys")] == ["k1"])
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(json.load(file), json.loads(second.command("save_config")[1]))

    def test_the_file_follows(self):
        first = self.start("--config", self.file, "--keep-config")
        first.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        first.call("keyring_file_add_key", {"name": "k2", "path": self.key})
        first.call("keyring_file_remove_key", {"name": "k1"})
        # The reply comes when the file says so.
        with open(self.file, encoding="utf-8") as file:
            kept = json.load(file)
        self.assertIn({"method": "keyring_file_add_key", "params": {"name": "k2", "path": self.key}}, entries(kept))
        self.assertNotIn("k1", json.dumps(kept))
        self.assertEqual(os.stat(self.file).st_mode & 0o777, 0o600)
        # It need not end well for that.
        first.process.kill()
        first.process.wait()
        second = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: [key["name"] for key in second.call("keyring_get_keys")] == ["k2"])
        self.assertEqual(second.stop(), 0)
        with open(self.file, encoding="utf-8") as file:
            self.assertEqual(json.load(file), kept)

    def test_a_call_that_fails_stays_in_the_file(self):
        missing = os.path.join(self.directory.name, "later")
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump({"subsystems": [{"subsystem": "keyring", "config": [
                {"method": "keyring_file_add_key", "params": {"name": "late", "path": missing}},
                {"method": "keyring_file_add_key", "params": {"name": "k1", "path": self.key}}]}]}, file)
        daemon = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: len(daemon.call("keyring_get_keys")) == 1)
        daemon.call("keyring_file_add_key", {"name": "k2", "path": self.key})
        with open(self.file, encoding="utf-8") as file:
            self.assertIn("late", file.read())
        os.link(self.key, missing)
        # It is tried again by itself.
        self.wait_for(lambda: len(daemon.call("keyring_get_keys")) == 3)

    def test_hang_up_adds_what_is_missing(self):
        def write(*names):
            with open(self.file, "w", encoding="utf-8") as file:
                json.dump({"subsystems": [{"subsystem": "keyring", "config": [
                    {"method": "keyring_file_add_key", "params": {"name": name, "path": self.key}}
                    for name in names]}]}, file)

        write("k1")
        daemon = self.start("--config", self.file)
        self.wait_for(lambda: len(daemon.call("keyring_get_keys")) == 1)
        write("k1", "k2")
        daemon.signal(signal.SIGHUP)
        self.wait_for(lambda: [key["name"] for key in daemon.call("keyring_get_keys")] == ["k1", "k2"])
        with open(self.file, "w", encoding="utf-8") as file:
            file.write("{")
        daemon.signal(signal.SIGHUP)
        self.wait_for(lambda: "is not JSON" in daemon.log_text())
        self.assertEqual(len(daemon.call("keyring_get_keys")), 2)

    def test_files_that_are_wrong(self):
        for text, message in [("{", "is not JSON"), ("{}", "subsystems: there must be an array"),
                              ('{"subsystems":[{"subsystem":1}]}', "subsystems[0].subsystem: must be a string"),
                              ('{"subsystems":[{"subsystem":"a","config":[{"method":"m","params":1}]}]}',
                               "subsystems[0].config[0].params: must be an object")]:
            with open(self.file, "w", encoding="utf-8") as file:
                file.write(text)
            with self.subTest(text=text):
                done = subprocess.run(
                    [NVMEOFD, "-r", os.path.join(self.directory.name, "s"), "--config", self.file],
                    capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertIn(message, done.stderr)

    def test_systemd_is_told(self):
        path = os.path.join(self.directory.name, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(PATIENCE)
            with unittest.mock.patch.dict(os.environ, {"NOTIFY_SOCKET": path}):
                daemon = self.start("--config", self.file)
            self.assertIn(b"READY=1", manager.recv(4096).split(b"\n"))
            daemon.signal(signal.SIGHUP)
            self.assertIn(b"RELOADING=1", manager.recv(4096).split(b"\n"))
            self.assertIn(b"READY=1", manager.recv(4096).split(b"\n"))
            daemon.signal(signal.SIGTERM)
            self.assertIn(b"STOPPING=1", manager.recv(4096).split(b"\n"))
            self.assertEqual(daemon.wait(), 0)

    def test_a_start_that_fails_leaves_nothing(self):
        path = os.path.join(self.directory.name, "s")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = subprocess.run([NVMEOFD, "-r", path, "--metrics-port", str(taken.getsockname()[1])],
                                  capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Address already in use", done.stderr)
        self.assertEqual(os.listdir(self.directory.name), ["key"])

    def test_lines_of_json(self):
        daemon = self.start("--log-format", "json", "--print-level", "debug")
        daemon.call("log_get_level")
        self.assertEqual(daemon.stop(), 0)
        records = [json.loads(line) for line in daemon.log_text().splitlines()]
        self.assertIn("log_get_level", [record.get("method") for record in records])
        for record in records:
            self.assertLessEqual({"time", "level", "part", "message"}, set(record))

    def test_the_client_ends_it(self):
        daemon = self.start()
        self.assertEqual(daemon.command("spdk_kill_instance", "SIGTERM")[0], 0)
        self.assertEqual(daemon.wait(), 0)
        self.assertFalse(os.path.exists(daemon.socket))
