"""What concerns block devices whatever is behind them, against namespaces of the embedded target."""
import base64
import json
import os
import re
import shutil
import socket
import struct
import tempfile
import time
import unittest

from daemon import PATIENCE, Daemon, DaemonTest, RPCFailure, Target

NQN = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264"


class DeviceTests(DaemonTest):
    @classmethod
    def setUpClass(cls):
        cls.target = Target("--namespace", "memory:16M:512", "--namespace", "memory:32M:4096,nsid=7")
        super().setUpClass()
        cls.port = str(cls.target.description["ports"][0]["port"])
        status, output, errors = cls.daemon.command(
            "bdev_nvme_attach_controller", "-b", "Nvme0", "-t", "tcp", "-f", "ipv4", "-a", "127.0.0.1", "-s", cls.port,
            "-n", NQN)
        # One release prints a list, the other one words.
        assert status == 0 and re.findall(r"[\w]+", output) == ["Nvme0n1", "Nvme0n7"], output + errors

    @classmethod
    def tearDownClass(cls):
        cls.target.remove()
        super().tearDownClass()

    def test_devices(self):
        devices = self.daemon.command_json("bdev_get_bdevs")
        self.assertEqual([(device["name"], device["block_size"], device["num_blocks"]) for device in devices],
                         [("Nvme0n1", 512, 32768), ("Nvme0n7", 4096, 8192)])
        self.assertEqual(self.daemon.call("bdev_get_bdevs", {"name": devices[0]["uuid"]}), [devices[0]])

    def test_notifications(self):
        events = self.daemon.call("notify_get_notifications")
        registered = [event["ctx"] for event in events if event["type"] == "bdev_register"]
        self.assertLessEqual({"Nvme0n1", "Nvme0n7"}, set(registered))
        numbers = [event["id"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertEqual(self.daemon.call("notify_get_notifications", {"id": numbers[-1]}), events[-1:])
        self.assertEqual(self.daemon.call("notify_get_notifications", {"id": numbers[-1] + 1}), [])
        self.assertEqual(self.daemon.command_json("notify_get_notifications", "-n", "1"), events[:1])

    def test_statistics(self):
        whole = self.daemon.call("bdev_get_iostat")
        self.assertEqual([device["name"] for device in whole["bdevs"]], ["Nvme0n1", "Nvme0n7"])
        for word in ["read", "write", "unmap", "copy"]:
            for name in [f"num_{word}_ops", f"{word}_latency_ticks", f"max_{word}_latency_ticks",
                         f"min_{word}_latency_ticks"]:
                self.assertIn(name, whole["bdevs"][0])
        self.assertEqual(whole["bdevs"][0]["io_error"], {})
        one = self.daemon.call("bdev_get_iostat", {"name": "Nvme0n7", "reset_mode": "all"})
        self.assertEqual([device["name"] for device in one["bdevs"]], ["Nvme0n7"])
        several = self.daemon.call("bdev_get_iostat", {"names": ["Nvme0n7", "Nvme0n1"]})
        self.assertEqual([device["name"] for device in several["bdevs"]], ["Nvme0n7", "Nvme0n1"])
        channels = self.daemon.call("bdev_get_iostat", {"name": "Nvme0n1", "per_channel": True})
        self.assertEqual((channels["name"], type(channels["channels"])), ("Nvme0n1", list))
        for mode in ["all", "maxmin", "error", "none"]:
            self.assertTrue(self.daemon.call("bdev_reset_iostat", {"name": "Nvme0n1", "mode": mode}))

    def test_queue_depth_sampling(self):
        self.assertEqual(self.daemon.command("bdev_set_qd_sampling_period", "Nvme0n1", "2000")[0], 0)
        device = self.daemon.call("bdev_get_iostat", {"name": "Nvme0n1"})["bdevs"][0]
        self.assertEqual((device["queue_depth_polling_period"], device["queue_depth"]), (2000, 0))
        self.assertIn("weighted_io_time", device)
        self.assertTrue(self.daemon.call("bdev_set_qd_sampling_period", {"name": "Nvme0n1", "period": 0}))
        device = self.daemon.call("bdev_get_iostat", {"name": "Nvme0n1"})["bdevs"][0]
        self.assertNotIn("queue_depth", device)

    def test_histograms(self):
        self.assertFails(-32603, "Bad address", "bdev_get_histogram", {"name": "Nvme0n7"})
        self.assertTrue(self.daemon.call("bdev_enable_histogram", {"name": "Nvme0n7", "enable": True}))
        histogram = self.daemon.command_json("bdev_get_histogram", "Nvme0n7")
        self.assertEqual((histogram["granularity"], histogram["min_range"], histogram["max_range"]), (7, 0, 57))
        counts = struct.unpack(f"<{58 * 128}Q", base64.b64decode(histogram["histogram"]))
        self.assertEqual(sum(counts), 0)
        borders = self.daemon.call("bdev_get_histogram_borders", {"name": "Nvme0n7", "borders": [10, 100]})
        self.assertEqual(borders, {"borders_count": [0, 0, 0]})
        self.assertFails(-32603, "Invalid Io type", "bdev_enable_histogram",
                         {"name": "Nvme0n7", "enable": True, "opc": "dance"})
        self.assertTrue(self.daemon.call("bdev_enable_histogram", {
            "name": "Nvme0n7", "enable": True, "opc": "read", "granularity": 4, "min_nsec": 1000, "max_nsec": 10**9}))
        narrow = self.daemon.call("bdev_get_histogram", {"name": "Nvme0n7"})
        ranges = narrow["max_range"] - narrow["min_range"] + 1
        self.assertEqual(len(base64.b64decode(narrow["histogram"])), ranges * 16 * 8)
        self.assertFails(-22, "Invalid argument", "bdev_enable_histogram",
                         {"name": "Nvme0n7", "enable": True, "granularity": 60})
        self.assertTrue(self.daemon.call("bdev_enable_histogram", {"name": "Nvme0n7", "enable": False}))

    def test_rate_limits(self):
        self.assertFails(-22, "No rate limits specified", "bdev_set_qos_limit", {"name": "Nvme0n1"})
        self.assertEqual(self.daemon.command(
            "bdev_set_qos_limit", "Nvme0n1", "--rw-ios-per-sec", "20000", "--w-mbytes-per-sec", "100")[0], 0)

        def limits():
            return self.daemon.call("bdev_get_bdevs", {"name": "Nvme0n1"})[0]["assigned_rate_limits"]

        self.assertEqual(limits(), {"rw_ios_per_sec": 20000, "rw_mbytes_per_sec": 0, "r_mbytes_per_sec": 0,
                                    "w_mbytes_per_sec": 100})
        call = {"method": "bdev_set_qos_limit", "params": {"name": "Nvme0n1", **limits()}}
        self.assertIn(call, self.daemon.call("framework_get_config", {"name": "bdev"}))
        # What is not named stays; 0 lifts a limit.
        self.assertTrue(self.daemon.call("bdev_set_qos_limit", {"name": "Nvme0n1", "rw_ios_per_sec": 0}))
        self.assertEqual((limits()["rw_ios_per_sec"], limits()["w_mbytes_per_sec"]), (0, 100))
        self.assertTrue(self.daemon.call("bdev_set_qos_limit", {"name": "Nvme0n1", "w_mbytes_per_sec": 0}))
        self.assertNotIn("bdev_set_qos_limit", json.dumps(self.daemon.call("framework_get_config", {"name": "bdev"})))


class RestartTests(unittest.TestCase):
    """Devices come back: by the daemon's own file, and by what the client saved."""

    def setUp(self):
        self.target = Target("--namespace", "memory:16M:512")
        self.addCleanup(self.target.remove)
        self.port = str(self.target.description["ports"][0]["port"])
        directory = tempfile.mkdtemp(prefix="nvmeofd-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.file = os.path.join(directory, "config.json")

    def start(self, *options):
        daemon = Daemon(*options)
        self.addCleanup(daemon.remove)
        return daemon

    def attach(self, daemon, name="Nvme0"):
        return daemon.call("bdev_nvme_attach_controller", {
            "name": name, "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1", "trsvcid": self.port,
            "subnqn": NQN, "ctrlr_loss_timeout_sec": 15, "reconnect_delay_sec": 2, "fast_io_fail_timeout_sec": 10})

    def names(self, daemon):
        return [device["name"] for device in daemon.call("bdev_get_bdevs")]

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "it does not come")
            time.sleep(0.05)

    def test_own_file(self):
        first = self.start("--config", self.file, "--keep-config")
        self.assertEqual(self.attach(first), ["Nvme0n1"])
        first.call("bdev_set_qos_limit", {"name": "Nvme0n1", "rw_mbytes_per_sec": 50})
        saved = json.loads(first.command("save_config")[1])
        first.process.kill()
        first.process.wait()
        second = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: json.loads(second.command("save_config")[1]) == saved)
        self.assertEqual(self.names(second), ["Nvme0n1"])
        self.assertEqual(second.stop(), 0)

    def start_without_target(self):
        """A daemon with a controller in its configuration whose target is away, and the target's port."""
        first = self.start("--config", self.file, "--keep-config")
        self.attach(first)
        self.assertEqual(first.stop(), 0)
        port = self.target.description["ports"][0]["port"]
        self.assertTrue(self.target.say(f"port {port} off")["ok"])
        second = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: "will be tried again" in second.log_text())
        return second, port

    def test_target_that_is_away_at_start(self):
        second, port = self.start_without_target()
        # What could not be had yet is not forgotten.
        second.call("bdev_nvme_set_hotplug", {"enable": False})
        with open(self.file, encoding="utf-8") as file:
            self.assertIn("bdev_nvme_attach_controller", file.read())
        self.assertTrue(self.target.say(f"port {port} on")["ok"])
        self.wait_for(lambda: self.names(second) == ["Nvme0n1"])

    def test_what_a_client_detaches_is_not_tried_again(self):
        second, port = self.start_without_target()
        # Between two attempts: one that is under way goes to its end.
        def detached():
            with self.assertRaises(RPCFailure) as caught:
                second.call("bdev_nvme_detach_controller", {"name": "Nvme0"})
            self.assertEqual(caught.exception.code, -19)
            with open(self.file, encoding="utf-8") as file:
                return "bdev_nvme_attach_controller" not in file.read()

        self.wait_for(detached)
        self.assertTrue(self.target.say(f"port {port} on")["ok"])
        third = self.start("--config", self.file)
        third.call("bdev_get_bdevs")
        self.assertEqual(self.names(third) + self.names(second), [])

    def test_a_change_before_the_start_loses_nothing(self):
        first = self.start("--config", self.file, "--keep-config")
        self.attach(first)
        self.assertEqual(first.stop(), 0)
        second = self.start("--config", self.file, "--keep-config", "--wait-for-rpc")
        second.call("bdev_set_options", {"bdev_io_pool_size": 512})
        second.process.kill()
        second.process.wait()
        third = self.start("--config", self.file, "--keep-config")
        self.wait_for(lambda: self.names(third) == ["Nvme0n1"])
        options = third.call("framework_get_config", {"name": "bdev"})[0]["params"]
        self.assertEqual(options["bdev_io_pool_size"], 512)

    def test_client_saves_and_loads(self):
        first = self.start()
        self.attach(first)
        saved = first.command("save_config")[1]
        self.assertEqual(first.stop(), 0)
        second = self.start("--wait-for-rpc")
        status, output, errors = second.command("load_config", input=saved)
        self.assertEqual(status, 0, output + errors)
        self.assertEqual(self.names(second), ["Nvme0n1"])
        self.assertEqual(json.loads(second.command("save_config")[1]), json.loads(saved))

    def test_hang_up_brings_back_what_was_detached(self):
        daemon = self.start()
        self.attach(daemon)
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(daemon.command("save_config")[1])
        again = self.start("--config", self.file)
        self.wait_for(lambda: self.names(again) == ["Nvme0n1"])
        again.call("bdev_nvme_detach_controller", {"name": "Nvme0"})
        self.assertEqual(self.names(again), [])
        again.signal(1)
        self.wait_for(lambda: self.names(again) == ["Nvme0n1"])

    def test_metrics(self):
        port = free_port()
        daemon = self.start("--metrics-port", str(port))
        self.attach(daemon)
        page = fetch(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = page.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"), head)
        self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        text = body.decode()
        self.assertIn('nvmeofd_bdev_size_bytes{bdev="Nvme0n1"} 16777216', text)
        self.assertIn('nvmeofd_rpc_calls_total{method="bdev_nvme_attach_controller",result="success"} 1', text)
        port_of_target = self.target.description["port"]
        self.assertIn(
            f'nvmeofd_controller_state{{controller="Nvme0",path="127.0.0.1:{port_of_target}",state="enabled"}} 1', text)
        self.assertRegex(text, r"\nprocess_resident_memory_bytes [1-9]")
        self.assertRegex(text, r"\nprocess_open_fds [1-9]")
        self.assertIn("\nnvmeofd_nbd_connections 0\n", text)
        names = set()
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name = line.split()[2]
                self.assertNotIn(name, names, "a family comes once")
                names.add(name)
            elif not line.startswith("#"):
                self.assertRegex(line, r'^[a-z_]+(\{([a-z_]+="[^"]*",?)+\})? [-0-9.e+]+$')
                self.assertIn(line.split("{")[0].split(" ")[0], names)
        self.assertTrue(fetch(port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404"))
        self.assertTrue(fetch(port, b"POST /metrics HTTP/1.1\n\n").startswith(b"HTTP/1.1 405"))
        self.assertTrue(fetch(port, b"nonsense\n\n").startswith(b"HTTP/1.1 400"))
        self.assertTrue(fetch(port, b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 9000).startswith(b"HTTP/1.1 431"))


def free_port():
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        data = b""
        while True:
            try:
                more = connection.recv(65536)
            except ConnectionResetError:
                return data
            if not more:
                return data
            data += more
