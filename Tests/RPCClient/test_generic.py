"""Methods that have nothing to do with NVMe, from a table: what is sent, and what comes."""
import json
import os
import tempfile

from daemon import RELEASE, DaemonTest

DECODE_INTERNAL = (-32603, "spdk_json_decode_object failed")
DECODE_PARAMS = (-32602, "spdk_json_decode_object failed")
INVALID_ARGUMENT = (-32602, "Invalid argument")
INVALID_PARAMETERS = (-32602, "Invalid parameters")
NO_DEVICE = (-19, "No such device")

# Method, parameters, result.
RESULTS = [
    ("bdev_get_bdevs", None, []),
    ("bdev_examine", {"name": "whatever"}, True),
    ("bdev_wait_for_examine", None, True),
    ("bdev_reset_iostat", None, True),
    ("bdev_reset_iostat", {"mode": "none", "name": "nobody"}, True),
    ("bdev_reset_iostat", {"mode": "maxmin"}, True),
    ("framework_wait_init", None, True),
    ("keyring_get_keys", None, []),
    ("notify_get_notifications", None, []),
    ("notify_get_notifications", {"id": 0, "max": 5}, []),
    ("log_get_level", None, "NOTICE"),
    ("log_set_level", {"level": "DEBUG"}, True),
    ("log_get_level", None, "DEBUG"),
    ("log_set_level", {"level": "NOTICE"}, True),
    ("log_get_print_level", None, "INFO"),
    ("log_set_print_level", {"level": "ERROR"}, True),
    ("log_get_print_level", None, "ERROR"),
    ("log_set_print_level", {"level": "INFO"}, True),
    ("log_set_flag", {"flag": "nvme"}, True),
    ("log_clear_flag", {"flag": "nvme"}, True),
    ("log_set_flag", {"flag": "all"}, True),
    ("log_clear_flag", {"flag": "all"}, True),
    ("log_enable_timestamps", {"enabled": False}, True),
    ("log_enable_timestamps", {"enabled": True}, True),
    ("framework_get_config", {"name": "keyring"}, []),
    ("framework_get_config", {"name": "keyring", "with_batches": False}, []),
]

# Method, parameters, code and text of the error.
ERRORS = [
    ("no_such_method", None, (-32601, "Method not found")),
    ("ublk_create_target", None, (-32601, "Method not found")),
    ("vhost_get_controllers", None, (-32601, "Method not found")),
    ("framework_start_init", None, (-1, "Method may only be called before framework is initialized. Use --wait-for-rpc "
                                    "command line parameter and then issue this RPC before the framework_start_init "
                                    "RPC.")),
    ("bdev_set_options", {}, (-1, "Method may only be called before framework is initialized. Use --wait-for-rpc command "
                              "line parameter and then issue this RPC before the framework_start_init RPC.")),
    ("rpc_get_methods", {"x": 1}, INVALID_PARAMETERS),
    ("rpc_get_methods", {"current": 1}, INVALID_PARAMETERS),
    ("spdk_get_version", {"x": 1}, (-32602, "spdk_get_version method requires no parameters")),
    ("framework_get_config", {"name": "vhost"}, (-32602, "Subsystem 'vhost' not found")),
    ("framework_get_config", {}, (-32602, "Invalid arguments")),
    ("framework_get_config", {"name": 1}, (-32602, "Invalid arguments")),
    ("spdk_kill_instance", {}, INVALID_PARAMETERS),
    ("spdk_kill_instance", {"sig_name": "SIGSTOP"}, INVALID_PARAMETERS),
    ("thread_get_stats", {"x": 1}, (-32602, "'thread_get_stats' requires no arguments")),
    ("log_set_level", {"level": "LOUD"}, DECODE_INTERNAL),
    ("log_set_level", {}, DECODE_INTERNAL),
    ("log_set_print_level", {"level": 1}, DECODE_INTERNAL),
    ("log_get_level", {"x": 1}, (-32602, "log_get_level requires no parameters")),
    ("log_set_flag", {"flag": "no such"}, (-32602, "invalid log flag")),
    ("log_clear_flag", {"flag": "no such"}, (-32602, "invalid log flag")),
    ("log_set_flag", {}, DECODE_INTERNAL),
    ("log_enable_timestamps", {"enabled": 1}, DECODE_PARAMS),
    ("notify_get_types", {"x": 1}, (-32602, "No parameters required")),
    ("notify_get_notifications", {"id": -1}, INVALID_ARGUMENT),
    ("keyring_file_add_key", {"name": "k"}, INVALID_ARGUMENT),
    ("keyring_file_add_key", {"name": "k", "path": "/tmp/x", "y": 1}, INVALID_ARGUMENT),
    ("keyring_file_add_key", {"name": "k", "path": "/no/such/file"}, (-2, "No such file or directory")),
    ("keyring_file_add_key", {"name": "k", "path": "relative"}, (-22, "Invalid argument")),
    ("keyring_file_add_key", {"name": "k", "path": "/"}, (-1, "Operation not permitted")),
    ("keyring_file_remove_key", {"name": "k"}, (-2, "No such file or directory")),
    ("keyring_file_remove_key", {}, INVALID_ARGUMENT),
    ("bdev_get_bdevs", {"name": "nobody"}, NO_DEVICE),
    ("bdev_get_bdevs", {"nam": "nobody"}, DECODE_INTERNAL),
    ("bdev_get_iostat", {"name": "nobody"}, NO_DEVICE),
    ("bdev_get_iostat", {"names": ["nobody"]}, NO_DEVICE),
    ("bdev_get_iostat", {"names": "nobody"}, DECODE_INTERNAL),
    ("bdev_get_iostat", {"per_channel": True}, (-22, "Invalid argument")),
    ("bdev_get_iostat", {"per_channel": True, "names": ["a", "b"]}, (-22, "Invalid argument")),
    ("bdev_get_iostat", {"reset_mode": "some"}, DECODE_INTERNAL),
    ("bdev_reset_iostat", {"name": "nobody"}, NO_DEVICE),
    ("bdev_reset_iostat", {"mode": 1}, DECODE_INTERNAL),
    ("bdev_enable_histogram", {"name": "nobody", "enable": True}, NO_DEVICE),
    ("bdev_enable_histogram", {"name": "nobody"}, DECODE_INTERNAL),
    ("bdev_get_histogram", {"name": "nobody"}, NO_DEVICE),
    ("bdev_get_histogram", {}, DECODE_INTERNAL),
    ("bdev_set_qos_limit", {"name": "nobody", "rw_ios_per_sec": 1}, NO_DEVICE),
    ("bdev_set_qos_limit", {"rw_ios_per_sec": 1}, DECODE_INTERNAL),
    ("bdev_set_qos_limit", {"name": "nobody", "rw_ios_per_sec": -1}, DECODE_INTERNAL),
    ("bdev_set_qd_sampling_period", {"name": "nobody", "period": 10}, NO_DEVICE),
    ("bdev_set_qd_sampling_period", {"name": "nobody"}, DECODE_INTERNAL),
    ("bdev_wait_for_examine", {"x": 1}, (-32602, "bdev_wait_for_examine requires no parameters")),
    ("bdev_examine", {}, DECODE_PARAMS),
]

# Words of spdk-rpc, what it prints: JSON, or nothing.
COMMANDS = [
    (["bdev_get_bdevs"], []),
    (["bdev_wait_for_examine"], None),
    (["bdev_reset_iostat"], None),
    (["framework_wait_init"], None),
    (["log_get_level"], "NOTICE"),
    (["log_set_level", "NOTICE"], None),
    (["log_set_print_level", "INFO"], None),
    (["log_get_print_level"], "INFO"),
    (["notify_get_notifications", "-i", "0", "-n", "3"], []),
    (["keyring_get_keys"], []),
]


class GenericTests(DaemonTest):
    def test_results(self):
        for method, params, result in RESULTS:
            with self.subTest(method=method, params=params):
                self.assertEqual(self.daemon.call(method, params), result)

    def test_errors(self):
        for method, params, (code, message) in ERRORS:
            with self.subTest(method=method, params=params):
                # The client leaves empty parameters out.
                self.assertFails(code, message, method, params)

    def test_commands(self):
        for words, result in COMMANDS:
            with self.subTest(words=words):
                status, output, errors = self.daemon.command(*words)
                self.assertEqual(status, 0, output + errors)
                if result is None:
                    self.assertIn(output.strip(), ("", "true"))
                else:
                    self.assertEqual(json.loads(output), result)

    def test_methods_are_listed(self):
        everything = self.daemon.call("rpc_get_methods")
        self.assertEqual(len(everything), len(set(everything)))
        current = self.daemon.call("rpc_get_methods", {"current": True})
        self.assertEqual(set(everything) - set(current), {"framework_start_init", "bdev_set_options"})
        self.assertLessEqual(set(everything), set(self.daemon.call("rpc_get_methods", {"include_aliases": True})))
        for method, *_ in RESULTS:
            self.assertIn(method, everything)
        self.assertEqual(self.daemon.command_json("rpc_get_methods"), everything)

    def test_version(self):
        version = self.daemon.call("spdk_get_version")
        fields = version["fields"]
        self.assertTrue(version["version"].startswith(f"SPDK v{fields['major']}.{fields['minor']:02}"))
        self.assertEqual(self.daemon.command_json("spdk_get_version"), version)

    def test_reactors_and_threads(self):
        reactors = self.daemon.call("framework_get_reactors")
        self.assertEqual(reactors["pid"], self.daemon.process.pid)
        self.assertEqual(len(reactors["reactors"]), 2)
        tasks = {int(task) for task in os.listdir(f"/proc/{self.daemon.process.pid}/task")}
        for reactor in reactors["reactors"]:
            self.assertIn(reactor["tid"], tasks)
        threads = self.daemon.call("thread_get_stats")["threads"]
        self.assertEqual([thread["name"] for thread in threads], ["control", "io_0"])
        self.assertGreater(threads[0]["busy"], 0)
        pollers = self.daemon.call("thread_get_pollers")["threads"]
        channels = self.daemon.call("thread_get_io_channels")["threads"]
        self.assertEqual([thread["name"] for thread in pollers], [thread["name"] for thread in channels])

    def test_notification_types(self):
        self.assertLessEqual({"bdev_register", "bdev_unregister"}, set(self.daemon.call("notify_get_types")))

    def test_subsystems(self):
        subsystems = self.daemon.call("framework_get_subsystems")
        names = [subsystem["subsystem"] for subsystem in subsystems]
        # The client wants dependencies to come first.
        for place, subsystem in enumerate(subsystems):
            for dependency in subsystem["depends_on"]:
                self.assertIn(dependency, names[:place])
        self.assertLessEqual({"keyring", "bdev"}, set(names))

    def test_iostat_without_devices(self):
        result = self.daemon.call("bdev_get_iostat")
        self.assertEqual(result["bdevs"], [])
        self.assertGreater(result["tick_rate"], 0)
        self.assertGreater(self.daemon.call("bdev_get_iostat")["ticks"], result["ticks"])

    def test_flags_and_levels_act(self):
        with self.subTest("levels"):
            self.daemon.call("log_set_print_level", {"level": "ERROR"})
            self.daemon.call("bdev_examine", {"name": "quiet"})
            before = self.daemon.log_text()
            self.assertFails(*NO_DEVICE, "bdev_get_bdevs", {"name": "quiet"})
            self.assertEqual(self.daemon.log_text(), before)
            self.daemon.call("log_set_print_level", {"level": "INFO"})
            self.assertFails(*NO_DEVICE, "bdev_get_bdevs", {"name": "told"})
            self.assertIn("No such device", self.daemon.log_text()[len(before):])
        with self.subTest("flags"):
            self.daemon.call("log_set_flag", {"flag": "rpc"})
            self.assertTrue(self.daemon.call("log_get_flags")["rpc"])
            self.daemon.call("bdev_wait_for_examine")
            self.assertIn("method=bdev_wait_for_examine", self.daemon.log_text())
            self.daemon.call("log_clear_flag", {"flag": "rpc"})
            self.assertFalse(self.daemon.call("log_get_flags")["rpc"])
        with self.subTest("timestamps"):
            self.daemon.call("log_enable_timestamps", {"enabled": False})
            before = self.daemon.log_text()
            self.assertFails(*NO_DEVICE, "bdev_get_bdevs", {"name": "timeless"})
            self.assertTrue(self.daemon.log_text()[len(before):].startswith("INFO rpc: "))
            self.daemon.call("log_enable_timestamps", {"enabled": True})

    def test_keyring(self):
        with tempfile.TemporaryDirectory() as directory:
            secret = "NVMeTLSkey-1:01:c2VjcmV0IHNlY3JldCBzZWNyZXQ=:"
            path = os.path.join(directory, "key")
            with open(path, "w", encoding="utf-8") as file:
                file.write(secret)
            os.chmod(path, 0o640)
            self.assertFails(-1, "Operation not permitted", "keyring_file_add_key", {"name": "k", "path": path})
            os.chmod(path, 0o600)
            self.assertTrue(self.daemon.call("keyring_file_add_key", {"name": "k", "path": path}))
            self.assertFails(-17, "File exists", "keyring_file_add_key", {"name": "k", "path": path})
            keys = self.daemon.command_json("keyring_get_keys")
            self.assertEqual(
                keys,
                [{"name": "k", "module": "keyring_file", "removed": False, "probed": True, "refcnt": 0, "path": path}])
            config = self.daemon.call("framework_get_config", {"name": "keyring"})
            self.assertEqual(config, [{"method": "keyring_file_add_key", "params": {"name": "k", "path": path}}])
            self.assertTrue(self.daemon.call("keyring_file_remove_key", {"name": "k"}))
            self.assertEqual(self.daemon.call("keyring_get_keys"), [])
            self.assertNotIn("secret", self.daemon.log_text())
            self.assertNotIn(secret[15:30], self.daemon.log_text())

    def test_the_client_is_the_wanted_one(self):
        from importlib.metadata import version
        self.assertEqual(version("spdk"), RELEASE)


class StartUpTests(DaemonTest):
    options = ("--wait-for-rpc",)

    def test_phases(self):
        refusal = (-1, "Method may only be called after framework is initialized using framework_start_init RPC.")
        self.assertFails(*refusal, "bdev_get_bdevs")
        self.assertFails(*refusal, "framework_get_config", {"name": "bdev"})
        self.assertIn("framework_start_init", self.daemon.call("rpc_get_methods", {"current": True}))
        self.assertNotIn("bdev_get_bdevs", self.daemon.call("rpc_get_methods", {"current": True}))
        self.assertFails(*DECODE_INTERNAL, "bdev_set_options", {"bdev_io_pool_size": "many"})
        self.assertTrue(self.daemon.call("bdev_set_options", {"bdev_io_pool_size": 1024}))
        # Somebody waits for the start before it has been asked for.
        waiting = self.daemon.connect()
        waiting.sendall(b'{"method":"framework_wait_init","id":1}')
        self.daemon.call("log_get_level")
        self.assertEqual(self.daemon.command("framework_start_init")[0], 0)
        with waiting, waiting.makefile("rb") as replies:
            self.assertEqual(json.loads(replies.readline())["result"], True)
        self.assertEqual(self.daemon.call("bdev_get_bdevs"), [])
        options = self.daemon.call("framework_get_config", {"name": "bdev"})[0]
        self.assertEqual((options["method"], options["params"]["bdev_io_pool_size"]), ("bdev_set_options", 1024))
