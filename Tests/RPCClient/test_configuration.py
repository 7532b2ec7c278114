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

from daemon import NVMEOFD, PATIENCE, Daemon, RPCFailure, Target


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

    def test_an_end_does_not_wait_for_hang_up(self):
        with open(self.file, "w", encoding="utf-8") as file:
            file.write('{"subsystems": []}')
        daemon = self.start("--config", self.file)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            with open(self.file, "w", encoding="utf-8") as file:
                json.dump({"subsystems": [{"subsystem": "bdev", "config": [
                    {"method": "bdev_nvme_attach_controller", "params": {
                        "name": "A", "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1",
                        "trsvcid": str(silent.getsockname()[1]), "subnqn": "nqn.2014-08.org.example:x"}}]}]}, file)
            daemon.signal(signal.SIGHUP)
            silent.settimeout(PATIENCE)
            connection, _ = silent.accept()
            with connection:
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
        # Not when the target had been waited for, which it has been told then not to be any more.
        log = daemon.log_text() + "was read again"
        self.assertLess(log.index("ending on a signal"), log.index("was read again"))

    def kept(self):
        with open(self.file, encoding="utf-8") as file:
            return entries(json.load(file))

    def attachment(self, target, **more):
        return {"name": "A", "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1",
                "trsvcid": str(target.description["port"]), "subnqn": target.description["nqn"], **more}

    def test_what_no_client_has_taken_back_comes_again(self):
        target = Target("--namespace", "memory:16M")
        self.addCleanup(target.remove)
        socket_path = os.path.join(self.directory.name, "nbd")
        daemon = self.start("--config", self.file, "--keep-config")
        daemon.call("bdev_nvme_attach_controller", self.attachment(
            target, ctrlr_loss_timeout_sec=1, reconnect_delay_sec=1))
        daemon.call("bdev_set_qos_limit", {"name": "An1", "rw_ios_per_sec": 7000})
        daemon.call("nbd_start_disk", {"bdev_name": "An1", "nbd_device": socket_path})
        before = self.kept()
        target.say("port 1 off")
        self.wait_for(lambda: daemon.call("bdev_nvme_get_controllers") == [])
        # Given up by itself: another call changes nothing of what is kept.
        daemon.call("bdev_reset_iostat")
        self.assertEqual(sorted(map(json.dumps, self.kept())), sorted(map(json.dumps, before)))
        self.assertIn("controller lost", daemon.log_text())
        target.say("port 1 on")
        self.wait_for(lambda: [disk["nbd_device"] for disk in daemon.call("nbd_get_disks")] == [socket_path])
        self.assertEqual(daemon.call("bdev_get_bdevs", {"name": "An1"})[0]["assigned_rate_limits"]["rw_ios_per_sec"], 7000)

    def discovery(self, port, **more):
        return {"name": "disc", "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": str(port), **more}

    def test_what_is_about_discovered_devices_comes_again(self):
        target = Target("--namespace", "memory:16M")
        self.addCleanup(target.remove)
        socket_path = os.path.join(self.directory.name, "nbd")
        daemon = self.start("--config", self.file, "--keep-config")
        daemon.call("bdev_nvme_start_discovery", self.discovery(
            target.description["port"], wait_for_attach=True, ctrlr_loss_timeout_sec=1, reconnect_delay_sec=1))
        daemon.call("bdev_set_qos_limit", {"name": "disc0n1", "rw_ios_per_sec": 7000})
        daemon.call("nbd_start_disk", {"bdev_name": "disc0n1", "nbd_device": socket_path})
        before = self.kept()
        target.say("port 1 off")
        self.wait_for(lambda: daemon.call("bdev_nvme_get_controllers") == [])
        daemon.call("bdev_reset_iostat")
        self.assertEqual(sorted(map(json.dumps, self.kept())), sorted(map(json.dumps, before)))
        target.say("port 1 on")
        self.wait_for(lambda: [disk["nbd_device"] for disk in daemon.call("nbd_get_disks")] == [socket_path])
        self.assertEqual(
            daemon.call("bdev_get_bdevs", {"name": "disc0n1"})[0]["assigned_rate_limits"]["rw_ios_per_sec"], 7000)
        # A client's call takes all of it back.
        daemon.call("bdev_nvme_stop_discovery", {"name": "disc"})
        self.assertNotIn("disc", json.dumps(self.kept()))

    def test_a_discovery_service_that_is_away_holds_up_nothing(self):
        target = Target("--namespace", "memory:16M")
        self.addCleanup(target.remove)
        socket_path = os.path.join(self.directory.name, "nbd")
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump({"subsystems": [{"subsystem": "bdev", "config": [
                {"method": "bdev_nvme_attach_controller", "params": self.attachment(target)},
                {"method": "bdev_nvme_start_discovery", "params": self.discovery(1, wait_for_attach=True)}]},
                {"subsystem": "nbd", "config": [{"method": "nbd_start_disk", "params": {
                    "bdev_name": "An1", "nbd_device": socket_path}}]}]}, file)
        path = os.path.join(self.directory.name, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(PATIENCE)
            with unittest.mock.patch.dict(os.environ, {"NOTIFY_SOCKET": path}):
                daemon = self.start("--config", self.file)
            self.assertIn(b"READY=1", manager.recv(4096).split(b"\n"))
        self.assertEqual([disk["nbd_device"] for disk in daemon.call("nbd_get_disks")], [socket_path])

    def test_what_a_client_takes_back_does_not_come(self):
        target = Target("--namespace", "memory:16M")
        self.addCleanup(target.remove)
        target.say("port 1 off")
        attachment = self.attachment(target)
        with open(self.file, "w", encoding="utf-8") as file:
            json.dump({"subsystems": [{"subsystem": "bdev", "config": [
                {"method": "bdev_nvme_attach_controller", "params": attachment},
                {"method": "bdev_nvme_attach_controller", "params": {**attachment, "name": "An", "trsvcid": "1"}},
                {"method": "bdev_set_qos_limit", "params": {"name": "An1", "rw_ios_per_sec": 7000}}]},
                {"subsystem": "nbd", "config": [{"method": "nbd_start_disk", "params": {
                    "bdev_name": "An1", "nbd_device": os.path.join(self.directory.name, "nbd")}}]}]}, file)
        daemon = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: daemon.log_text().count("will be tried again") >= 4)
        # In other words than the file's, for the same.
        with self.assertRaises(RPCFailure) as caught:
            daemon.call("bdev_nvme_detach_controller", {**attachment, "trtype": "tcp", "adrfam": "ipv4"})
        self.assertEqual(caught.exception.code, -19)
        methods = [(call["method"], call["params"].get("name")) for call in self.kept()
                   if "nvme_attach" in call["method"] or "qos" in call["method"] or "nbd" in call["method"]]
        self.assertEqual(methods, [("bdev_nvme_attach_controller", "An")])

    def test_calls_that_cannot_succeed_are_kept(self):
        target = Target("--namespace", "memory:16M")
        self.addCleanup(target.remove)
        first = self.start("--config", self.file, "--keep-config", "--nbd-socket",
                           os.path.join(self.directory.name, "nbd"))
        first.call("bdev_nvme_attach_controller", self.attachment(target))
        first.call("nbd_export_start", {"bdev_name": "An1"})
        before = self.kept()
        self.assertEqual(first.stop(), 0)
        # There is nowhere to export it now, but may be again.
        second = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: "the configuration has a call that fails" in second.log_text())
        second.call("bdev_reset_iostat")
        self.assertEqual(sorted(map(json.dumps, self.kept())), sorted(map(json.dumps, before)))

    def test_a_file_that_cannot_be_had(self):
        missing = os.path.join(self.directory.name, "none", "c")
        for path, options, message in [(missing, ["--keep-config"], "No such file"), (self.file, [], "No such file")]:
            with self.subTest(path=path):
                done = subprocess.run(
                    [NVMEOFD, "-r", os.path.join(self.directory.name, "s"), "--config", path, *options],
                    capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertIn(message, done.stderr)

    def refused(self, *options):
        done = subprocess.run([NVMEOFD, "-r", os.path.join(self.directory.name, "refused"), *options],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_a_file_has_one_keeper(self):
        first = self.start("--config", self.file, "--keep-config")
        self.assertIn("another process keeps its configuration there",
                      self.refused("--config", self.file, "--keep-config"))
        # Who only reads it is in nobody's way.
        self.start("--config", self.file)
        first.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        self.assertEqual([call["params"]["name"] for call in self.kept() if call["method"] == "keyring_file_add_key"],
                         ["k1"])
        # The lock goes with its process, however that ends.
        first.process.kill()
        first.process.wait()
        second = self.start("--config", self.file, "--keep-config")
        self.assertEqual(second.stop(), 0)
        self.assertFalse(os.path.exists(self.file + ".lock"))

    def test_a_link_stays_one(self):
        link = os.path.join(self.directory.name, "link")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write('{"subsystems": []}')
        os.symlink(self.file, link)
        daemon = self.start("--config", link, "--keep-config")
        daemon.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        self.assertTrue(os.path.islink(link))
        self.assertIn("keyring_file_add_key", [call["method"] for call in self.kept()])

    def test_a_full_disk(self):
        disk = os.path.join(self.directory.name, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True).returncode != 0:
            self.skipTest("mounting a tmpfs takes root")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        self.file = os.path.join(disk, "c")
        daemon = self.start("--config", self.file, "--keep-config")
        daemon.call("keyring_file_add_key", {"name": "k1", "path": self.key})
        with open(os.path.join(disk, "rest"), "wb", buffering=0) as rest:
            while rest.write(bytes(512)) == 512:
                try:
                    os.posix_fallocate(rest.fileno(), 0, os.fstat(rest.fileno()).st_size + 4096)
                except OSError:
                    break
        before = self.kept()
        # What cannot be written is told, and the call succeeds; the file stays as it was.
        daemon.call("keyring_file_add_key", {"name": "k2", "path": self.key})
        self.assertIn("the configuration could not be kept", daemon.log_text())
        self.assertEqual(self.kept(), before)
        daemon.process.kill()
        daemon.process.wait()
        # Its devices are wanted all the same.
        second = self.start("--config", self.file, "--keep-config")
        self.assertIn("the configuration cannot be kept for now", second.log_text())
        self.wait_for(lambda: [key["name"] for key in second.call("keyring_get_keys")] == ["k1"])
        os.unlink(os.path.join(disk, "rest"))
        second.call("keyring_file_add_key", {"name": "k3", "path": self.key})
        self.assertIn("k3", json.dumps(self.kept()))

    def test_what_is_no_file_is_not_waited_for(self):
        path = os.path.join(self.directory.name, "fifo")
        os.mkfifo(path)
        self.assertIn("no regular file", self.refused("--config", path, "--keep-config"))
        self.assertIn("is empty", self.refused("--config", path))

    def test_files_that_are_wrong(self):
        for text, message in [('{"a":\n {,', "is not JSON: line 2, column 3: unexpected ','"), ("", "is empty"),
                              ("{", "is not JSON"), ("{}", "subsystems: there must be an array"),
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
        with open(self.file, "w", encoding="utf-8") as file:
            file.write('{"subsystems": []} // nothing yet')
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
