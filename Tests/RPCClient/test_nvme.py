"""Methods about NVMe, driven by the client against namespaces of the embedded target: by its command line, and from tables."""
import base64
import json
import os
import socket
import tempfile
import time

from daemon import PATIENCE, RELEASE, DaemonTest, RPCFailure, Target

NQN = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264"
HOST = "nqn.2014-08.org.example:host"
INVALID = "Invalid argument"
UNDECODABLE = (-32603, "spdk_json_decode_object failed")

# Method, parameters, error: with nothing attached.
ERRORS = [
    ("bdev_nvme_set_options", {"unknown": 1}, UNDECODABLE),
    ("bdev_nvme_set_options", {"timeout_admin_us": 1}, (-22, INVALID)),
    ("bdev_nvme_set_options", {"bdev_retry_count": -2}, (-22, INVALID)),
    ("bdev_nvme_set_options", {"reconnect_delay_sec": 1}, (-22, INVALID)),
    ("bdev_nvme_attach_controller", {"name": "a", "trtype": "tcp"}, UNDECODABLE),
    ("bdev_nvme_attach_controller", {"name": "a", "trtype": "tcp", "traddr": "127.0.0.1", "max_bdevs": 0},
     (-22, "max_bdevs cannot be zero")),
    ("bdev_nvme_attach_controller", {"name": "a", "trtype": "tcp", "traddr": "127.0.0.1", "adrfam": "ipx"},
     (-22, "Failed to parse adrfam: ipx")),
    ("bdev_nvme_attach_controller",
     {"name": "a", "trtype": "tcp", "traddr": "127.0.0.1", "trsvcid": "1", "subnqn": NQN, "num_io_queues": 0},
     (-22, "num_io_queues out of bounds, min: 1 max: 65536")),
    ("bdev_nvme_attach_controller", {"name": "a", "trtype": "tcp", "traddr": "127.0.0.1", "trsvcid": "1", "subnqn": NQN},
     (-5, "Input/output error")),
    ("bdev_nvme_attach_controller",
     {"name": "a", "trtype": "tcp", "traddr": "127.0.0.1", "trsvcid": "1", "subnqn": NQN, "psk": "no such key"},
     (-126, "Required key not available")),
    ("bdev_nvme_detach_controller", {"name": "a"}, (-19, "No such device")),
    ("bdev_nvme_get_controllers", {"name": "a"}, (-22, "Controller a does not exist")),
    ("bdev_nvme_reset_controller", {"name": "a"}, (-19, "No such device")),
    ("bdev_nvme_reset_controller", {"cntlid": 1}, (-32602, INVALID)),
    ("bdev_nvme_set_preferred_path", {"name": "a", "cntlid": 1}, (-19, "No such device")),
    ("bdev_nvme_set_multipath_policy", {"name": "a", "policy": "active_passive"}, (-19, "No such device")),
    ("bdev_nvme_get_path_iostat", {"name": "a"}, (-1, "RPC not enabled if enable_io_path_stat is false")),
    ("bdev_nvme_get_controller_health_info", {"name": "a"}, (-32603, "Device not found")),
    ("bdev_nvme_stop_discovery", {"name": "a"}, (-2, "No such file or directory")),
    ("bdev_nvme_start_mdns_discovery", {"name": "a", "svcname": "_nvme-disc._tcp"}, (-95, "Operation not supported")),
    ("bdev_nvme_set_keys", {"name": "a"}, (-19, "No such device")),
    ("bdev_nvme_add_error_injection", {"name": "a", "cmd_type": "io"}, (-22, "Failed to parse the request")),
    ("bdev_nvme_remove_error_injection", {"name": "a", "cmd_type": "io", "opc": 1}, (-19, "No such device")),
    ("bdev_nvme_send_cmd", {"name": "a"}, (-32602, INVALID)),
    ("bdev_nvme_apply_firmware", {"filename": "/dev/null", "bdev_name": "a"}, (-32603, "bdev a could not be opened")),
]


class NVMeTests(DaemonTest):
    @classmethod
    def setUpClass(cls):
        cls.target = Target("--port", "0", "--namespace", "memory:16M:512", "--namespace", "memory:8M:4096,nsid=9")
        cls.ports = [str(port["port"]) for port in cls.target.description["ports"]]
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        cls.target.remove()
        super().tearDownClass()

    def tearDown(self):
        for discovery in self.daemon.call("bdev_nvme_get_discovery_info"):
            self.daemon.call("bdev_nvme_stop_discovery", {"name": discovery["name"]})
        for controller in self.daemon.call("bdev_nvme_get_controllers"):
            self.daemon.call("bdev_nvme_detach_controller", {"name": controller["name"]})
        self.assertEqual(self.daemon.call("bdev_get_bdevs"), [])

    def parameters(self, name="Nvme0", port=0, **more):
        return {"name": name, "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1", "trsvcid": self.ports[port],
                "subnqn": NQN, **more}

    def attach(self, name="Nvme0", port=0, **more):
        return self.daemon.call("bdev_nvme_attach_controller", self.parameters(name, port, **more))

    def attach_words(self, port=0):
        return ["bdev_nvme_attach_controller", "-b", "Nvme0", "-t", "tcp", "-f", "ipv4", "-a", "127.0.0.1", "-s",
                self.ports[port], "-n", NQN]

    def succeed(self, *words):
        status, output, errors = self.daemon.command(*words)
        self.assertEqual(status, 0, output + errors)
        return output

    def wait_for(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def states(self):
        return [path["state"] for path in self.daemon.call("bdev_nvme_get_controllers")[0]["ctrlrs"]]

    def test_errors(self):
        for method, params, (code, message) in ERRORS:
            with self.subTest(method=method, params=params):
                self.assertFails(code, message, method, params)

    def test_command_line(self):
        if RELEASE.startswith("25"):
            self.succeed(*self.attach_words())
            self.succeed(*self.attach_words(1), "-x", "multipath")
            self.succeed("bdev_nvme_set_multipath_policy", "-b", "Nvme0n1", "-p", "active_active", "-s", "queue_depth")
        else:
            policy = ["--policy", "active_active", "--selector", "queue_depth"]
            self.succeed(*self.attach_words(), *policy)
            self.succeed(*self.attach_words(1), *policy)
        device = self.daemon.command_json("bdev_get_bdevs", "-b", "Nvme0n1")[0]
        self.assertEqual(len(device["driver_specific"]["nvme"]), 2)
        self.assertEqual(
            (device["driver_specific"]["mp_policy"], device["driver_specific"]["selector"]),
            ("active_active", "queue_depth"))
        self.assertEqual(self.daemon.command_json("bdev_nvme_get_controllers"), [{"name": "Nvme0", "ctrlrs": [
            {"state": "enabled",
             "trid": {"trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": port, "subnqn": NQN},
             "cntlid": path["ctrlr_data"]["cntlid"],
             "host": {"nqn": HOST, "addr": "", "svcid": "", "no_shn_notification": False}}
            for port, path in zip(self.ports, device["driver_specific"]["nvme"])]}])
        self.assertEqual([group["io_paths"] for group in self.daemon.command_json("bdev_nvme_get_io_paths")["poll_groups"]],
                         [[]])
        second = str(device["driver_specific"]["nvme"][1]["ctrlr_data"]["cntlid"])
        for words in [["bdev_nvme_set_preferred_path", "-b", "Nvme0n1", "-c", second],
                      ["bdev_nvme_reset_controller", "Nvme0"],
                      ["bdev_nvme_disable_controller", "Nvme0"], ["bdev_nvme_enable_controller", "Nvme0"],
                      ["bdev_nvme_add_error_injection", "-n", "Nvme0", "-t", "io", "-o", "2", "-e", "3", "-u", "0", "-c", "6"],
                      ["bdev_nvme_remove_error_injection", "-n", "Nvme0", "-t", "io", "-o", "2"],
                      ["bdev_nvme_set_hotplug", "-e" if RELEASE.startswith("25") else "--hotplug", "-r", "100000"],
                      ["bdev_nvme_set_hotplug", "-d" if RELEASE.startswith("25") else "--no-hotplug"]]:
            with self.subTest(words=words):
                self.succeed(*words)
        health = self.daemon.command_json("bdev_nvme_get_controller_health_info", "-c", "Nvme0")
        self.assertEqual(health["traddr"], "127.0.0.1")
        transport = self.daemon.command_json("bdev_nvme_get_transport_statistics")["poll_groups"][0]["transports"][0]
        self.assertEqual(transport["trname"], "TCP")
        identify = base64.urlsafe_b64encode(bytes([6]) + bytes(39) + bytes([1]) + bytes(23)).decode()
        reply = self.daemon.command_json(
            "bdev_nvme_send_cmd", "-n", "Nvme0", "-t", "admin", "-r", "c2h", "-c", identify, "-D", "4096")
        self.assertEqual(len(base64.urlsafe_b64decode(reply["data"])), 4096)
        self.assertEqual(len(base64.urlsafe_b64decode(reply["cpl"])), 16)
        self.succeed("bdev_nvme_detach_controller", "Nvme0", "-t", "tcp", "-a", "127.0.0.1", "-s", self.ports[0])
        self.assertEqual(self.states(), ["enabled"])
        self.succeed("bdev_nvme_detach_controller", "Nvme0")

    def test_what_there_is_stands_in_the_way(self):
        self.attach()
        for params, code, message in [
                (self.parameters(port=1, multipath="disable"), -114,
                 "A controller named Nvme0 already exists and multipath is disabled"),
                (self.parameters(), -114, "A controller named Nvme0 already exists with the specified network path"),
                (self.parameters(port=1, subnqn="nqn.x:other"), -22,
                 f"A controller named Nvme0 already exists, but uses a different subnqn ({NQN})"),
                (self.parameters(port=1, hostnqn="nqn.x:host"), -22,
                 f"A controller named Nvme0 already exists, but uses a different hostnqn ({HOST})"),
                (self.parameters(port=1, prchk_guard=True), -22,
                 "A controller named Nvme0 already exists. To add a path, do not specify PI options."),
                (self.parameters(port=1, multipath="failover"), -22, INVALID),
                (self.parameters("other"), -17, "File exists")]:
            with self.subTest(params=params):
                self.assertFails(code, message, "bdev_nvme_attach_controller", params)
        self.assertFails(-6, "No such device or address", "bdev_nvme_detach_controller", {"name": "Nvme0", "traddr": "::1"})
        self.assertFails(-1, "RPC not permitted with nvme controllers already attached", "bdev_nvme_set_options",
                         {"keep_alive_timeout_ms": 1000})
        self.assertFails(-34, "Numerical result out of range", "bdev_nvme_attach_controller",
                         self.parameters("many", port=1, max_bdevs=1))

    def test_conventions_of_other_clients(self):
        """The triple always there, lower-case words, tab-indented text."""
        self.assertEqual(
            self.attach(multipath="multipath", hostnqn=HOST, ctrlr_loss_timeout_sec=15, reconnect_delay_sec=2,
                        fast_io_fail_timeout_sec=10), ["Nvme0n1", "Nvme0n9"])
        request = json.dumps({"jsonrpc": "2.0", "id": 4294967295, "method": "bdev_nvme_get_controllers", "params": None},
                             indent="\t")
        with self.daemon.connect() as connection, connection.makefile() as replies:
            connection.sendall(request.encode())
            self.assertEqual(json.loads(replies.readline())["result"][0]["name"], "Nvme0")

    def test_flow_control_is_given_up_unless_it_is_asked_for(self):
        for asked, kept in (({}, True), ({"disable_sq_flow_control": True}, True),
                            ({"disable_sq_flow_control": False}, False)):
            self.attach(**asked)
            attached = [entry["params"] for entry in self.daemon.call("framework_get_config", {"name": "bdev"})
                        if entry["method"] == "bdev_nvme_attach_controller"]
            self.assertEqual([entry["disable_sq_flow_control"] for entry in attached], [kept], asked)
            self.daemon.call("bdev_nvme_detach_controller", {"name": "Nvme0"})

    def test_namespaces_at_run_time(self):
        self.attach()
        self.target.say("namespace add memory:4M,nsid=12")
        self.wait_for(lambda: [device["name"] for device in self.daemon.call("bdev_get_bdevs")]
                      == ["Nvme0n1", "Nvme0n9", "Nvme0n12"])
        self.target.say("namespace resize 12 6M")
        self.wait_for(lambda: self.daemon.call("bdev_get_bdevs", {"name": "Nvme0n12"})[0]["num_blocks"] == 12288)
        self.target.say("namespace remove 12")
        self.wait_for(lambda: len(self.daemon.call("bdev_get_bdevs")) == 2)
        self.assertEqual(self.daemon.call("notify_get_notifications")[-1]["type"], "bdev_unregister")

    def test_a_port_that_is_gone(self):
        self.attach(ctrlr_loss_timeout_sec=60, reconnect_delay_sec=1)
        self.attach(port=1, ctrlr_loss_timeout_sec=60, reconnect_delay_sec=1)
        self.target.say("port 1 off")
        try:
            self.wait_for(lambda: self.states()[0] in ("resetting", "reconnect_is_delayed"))
            # Everything answers meanwhile.
            self.assertEqual(len(self.daemon.call("bdev_get_bdevs")), 2)
            self.assertEqual(self.states()[1], "enabled")
        finally:
            self.target.say("port 1 on")
        self.wait_for(lambda: self.states() == ["enabled", "enabled"])

    def test_waiting_for_a_device(self):
        with self.assertRaises(RPCFailure) as caught:
            self.daemon.call("bdev_get_bdevs", {"name": "Nvme0n9", "timeout": 10})
        self.assertEqual(caught.exception.code, -110)
        # It comes while it is waited for.
        with self.daemon.connect() as connection, connection.makefile() as replies:
            connection.sendall(json.dumps(
                {"method": "bdev_get_bdevs", "params": {"name": "Nvme0n9", "timeout": PATIENCE * 1000}, "id": 1}).encode())
            self.attach()
            self.assertEqual(json.loads(replies.readline())["result"][0]["name"], "Nvme0n9")

    def test_exports_of_their_own(self):
        self.attach()
        # Any absolute path, on a memory file system, too; the kernel's devices alone are refused.
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            path = os.path.join(directory, "nbd.sock")
            self.assertEqual(self.daemon.call("nbd_start_disk", {"bdev_name": "Nvme0n9", "nbd_device": path}), path)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                self.assertEqual(client.recv(8), b"NBDMAGIC")
            self.assertTrue(self.daemon.call("nbd_stop_disk", {"nbd_device": path}))
        with self.assertRaises(RPCFailure) as caught:
            self.daemon.call("nbd_start_disk", {"bdev_name": "Nvme0n9", "nbd_device": "/dev/nbd0"})
        self.assertEqual(caught.exception.code, -19)

    def test_discovery(self):
        params = {"name": "disc", "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1", "trsvcid": self.ports[0]}
        self.assertTrue(self.daemon.call("bdev_nvme_start_discovery", {**params, "wait_for_attach": True}))
        self.assertEqual([device["name"] for device in self.daemon.call("bdev_get_bdevs")], ["disc0n1", "disc0n9"])
        # The client leaves traces in what it is given.
        self.assertFails(-17, "File exists", "bdev_nvme_start_discovery", dict(params))
        info = self.daemon.command_json("bdev_nvme_get_discovery_info")
        self.assertEqual((info[0]["name"], info[0]["trid"]["trsvcid"]), ("disc", self.ports[0]))
        self.succeed("bdev_nvme_stop_discovery", "-b", "disc")
        self.assertEqual(self.daemon.call("bdev_nvme_get_controllers"), [])
        self.assertFails(-110, "Connection timed out", "bdev_nvme_start_discovery",
                         {**params, "trsvcid": "1", "attach_timeout_ms": 50})
