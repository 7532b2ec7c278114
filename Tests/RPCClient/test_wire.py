"""What other clients send, byte for byte: go-spdk-helper's conventions, and what no client should."""
import json
import os
import socket
import stat
import subprocess
import threading

from daemon import NVMEOFD, PATIENCE, Daemon, DaemonTest


class WireTests(DaemonTest):
    def exchange(self, data, count, shut=False):
        """Sends bytes; the first `count` replies."""
        with self.daemon.connect() as connection, connection.makefile("rb") as replies:
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            lines = [replies.readline() for _ in range(count)]
            for line in lines:
                self.assertTrue(line.endswith(b"\n"), line)
            return [json.loads(line) for line in lines]

    def test_tab_indented_with_null_parameters(self):
        request = json.dumps(
            {"jsonrpc": "2.0", "method": "bdev_get_bdevs", "params": None, "id": 4294967295}, indent="\t")
        self.assertEqual(
            self.exchange(request.encode(), 1), [{"jsonrpc": "2.0", "id": 4294967295, "result": []}])

    def test_identifiers_come_back(self):
        for identifier in ['1', '"a"', 'null', '-7', '1.5', '1e3', '18446744073709551615', '"\\u00e9"']:
            with self.daemon.connect() as connection, connection.makefile("rb") as replies:
                connection.sendall(b'{"method":"log_get_level","id":%s}' % identifier.encode())
                line = replies.readline()
                reply = json.loads(line)
                self.assertEqual(reply["id"], json.loads(identifier))
                self.assertIn(b'"id":' + (identifier if "u00" not in identifier else '"é"').encode(), line)

    def test_a_thousand_pipelined(self):
        requests = b"".join(
            json.dumps({"jsonrpc": "2.0", "method": "bdev_get_bdevs", "id": number}).encode() for number in range(1024))
        replies = self.exchange(requests, 1024)
        self.assertEqual({reply["id"] for reply in replies}, set(range(1024)))

    def test_more_than_that(self):
        requests = b"".join(
            json.dumps({"method": "spdk_get_version", "id": number}).encode() for number in range(5000))
        results = {}

        def read(connection):
            with connection.makefile("rb") as replies:
                for _ in range(5000):
                    reply = json.loads(replies.readline())
                    results[reply["id"]] = reply["result"]

        with self.daemon.connect() as connection:
            reader = threading.Thread(target=read, args=(connection,))
            reader.start()
            connection.sendall(requests)
            reader.join(PATIENCE)
        self.assertEqual(len(results), 5000)

    def test_every_split(self):
        data = b'{"method":"log_get_level","id":"\xc3\xa9"}\n[{"method":"log_get_level","id":2}]'
        for split in range(len(data) + 1):
            with self.daemon.connect() as connection, connection.makefile("rb") as replies:
                connection.sendall(data[:split])
                if split % 7 == 0:
                    # Another client's call in between: the first part has arrived by itself.
                    self.daemon.call("log_get_level")
                connection.sendall(data[split:])
                self.assertEqual(json.loads(replies.readline())["id"], "é")
                self.assertEqual(json.loads(replies.readline())[0]["id"], 2)

    def test_half_closed_clients_get_their_replies(self):
        data = b'{"method":"log_get_level","id":1}{"method":"bdev_get_bdevs","id":2}'
        replies = self.exchange(data, 2, shut=True)
        self.assertEqual({reply["id"] for reply in replies}, {1, 2})

    def test_batches(self):
        replies = self.exchange(
            b'[{"method":"log_get_level","id":1},{"method":"nope","id":2},7]', 1)[0]
        self.assertEqual(len(replies), 3)
        by_identifier = {reply["id"]: reply for reply in replies}
        self.assertEqual(by_identifier[1]["result"], "NOTICE")
        self.assertEqual(by_identifier[2]["error"], {"code": -32601, "message": "Method not found"})
        self.assertEqual(by_identifier[None]["error"]["code"], -32600)
        self.assertEqual(self.exchange(b"[]", 1)[0]["error"]["code"], -32600)

    def test_without_an_identifier_only_errors_are_answered(self):
        replies = self.exchange(
            b'{"method":"log_get_level"}{"method":"nope"}{"method":"log_get_level","id":3}', 2)
        self.assertEqual(replies[0]["id"], None)
        self.assertEqual(replies[0]["error"]["code"], -32601)
        self.assertEqual(replies[1]["id"], 3)

    def test_what_is_no_request(self):
        for text in [b'{}', b'7 ', b'"x"', b'{"method":1,"id":1}', b'{"jsonrpc":"1.0","method":"log_get_level","id":1}',
                     b'{"method":"log_get_level","id":[]}', b'{"method":"log_get_level","params":7,"id":1}',
                     b'{"method":"log_get_level","id":1,"more":1}', b'{"id":1,"id":1,"method":"log_get_level"}']:
            with self.subTest(text=text):
                replies = self.exchange(text + b'{"method":"log_get_level","id":9}', 2)
                self.assertEqual(replies[0]["error"], {"code": -32600, "message": "Invalid request"})
                self.assertEqual(replies[1]["id"], 9)

    def test_what_is_no_json_ends_the_connection(self):
        deep = b"[" * 100_000
        texts = [b"}", b"{nope", b'{"method":"\xff","id":1}', b'{"method":"\\ud800"}', deep, b'{"a":' * 1000,
                 b"[" + b"1," * 100_000, b'{"method":"' + b"x" * (17 << 20), b"\x00", b'{"method":"a\x01"}']
        for text in texts:
            with self.subTest(text=text[:40]):
                with self.daemon.connect() as connection, connection.makefile("rb") as replies:
                    try:
                        connection.sendall(text)
                    except (BrokenPipeError, ConnectionResetError):
                        pass  # It was refused before its end.
                    # A connection with unread bytes may end by a reset, after the reply.
                    try:
                        line = replies.readline()
                        self.assertEqual(
                            json.loads(line),
                            {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}})
                        self.assertEqual(replies.readline(), b"")
                    except ConnectionResetError:
                        pass
        self.assertEqual(self.daemon.call("log_get_level"), "NOTICE")

    def test_half_a_request_at_the_end(self):
        with self.daemon.connect() as connection, connection.makefile("rb") as replies:
            connection.sendall(b'{"method":"log_get_level","id":1}{"method":')
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(json.loads(replies.readline())["id"], 1)
            self.assertEqual(json.loads(replies.readline())["error"]["code"], -32700)
            self.assertEqual(replies.readline(), b"")

    def test_clients_that_vanish_leave_nothing(self):
        def descriptors():
            return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

        self.daemon.call("log_get_level")
        before = descriptors()
        for number in range(300):
            connection = self.daemon.connect()
            connection.sendall([b"", b'{"method":', b'{"method":"bdev_get_bdevs","id":1}' * 50][number % 3])
            connection.close()
        for _ in range(200):
            self.daemon.call("log_get_level")
            if descriptors() == before:
                break
        self.assertEqual(descriptors(), before)

    def test_a_client_that_does_not_read_holds_up_nobody(self):
        request = b'{"method":"rpc_get_methods","id":1}'
        with self.daemon.connect() as lazy:
            lazy.setblocking(False)
            sent = 0
            # Until the daemon takes no more: it must stop reading at some time.
            idle = 0
            while idle < 50 and sent < 64 << 20:
                try:
                    sent += lazy.send(request * 1000)
                    idle = 0
                except BlockingIOError:
                    idle += 1
                    self.assertEqual(self.daemon.call("log_get_level"), "NOTICE")
            self.assertLess(sent, 64 << 20)
            with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as status:
                resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
            self.assertLess(resident, 200_000)
        self.assertEqual(self.daemon.call("log_get_level"), "NOTICE")

    def test_more_clients_than_are_served(self):
        connections = [self.daemon.connect() for _ in range(400)]
        served = 0
        for connection in connections:
            try:
                connection.sendall(b'{"method":"log_get_level","id":1}')
                served += connection.recv(4096) != b""
            except (BrokenPipeError, ConnectionResetError):
                pass
        self.assertGreater(served, 200)
        self.assertLess(served, 400)
        for connection in connections:
            connection.close()
        self.assertEqual(self.daemon.call("log_get_level"), "NOTICE")


class SocketTests(DaemonTest):
    def test_only_the_user_can_connect(self):
        mode = os.stat(self.daemon.socket).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.daemon.socket + ".lock").st_mode), 0o600)

    def test_a_second_daemon_is_refused(self):
        second = subprocess.run([NVMEOFD, "-r", self.daemon.socket], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(second.returncode, 1)
        self.assertIn("another process serves it", second.stderr)
        self.assertEqual(self.daemon.call("log_get_level"), "NOTICE")

    def test_what_a_killed_one_left_is_replaced(self):
        first = Daemon()
        try:
            first.process.kill()
            first.process.wait()
            self.assertTrue(os.path.exists(first.socket))
            second = Daemon(directory=first.directory)
            try:
                self.assertEqual(second.call("log_get_level"), "NOTICE")
                self.assertEqual(second.stop(), 0)
                self.assertFalse(os.path.exists(second.socket))
                self.assertFalse(os.path.exists(second.socket + ".lock"))
            finally:
                second.remove()
        finally:
            first.remove()

    def test_what_is_not_a_socket_is_not_removed(self):
        path = os.path.join(self.daemon.directory, "precious")
        with open(path, "w", encoding="utf-8") as file:
            file.write("data")
        done = subprocess.run([NVMEOFD, "-r", path], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "data")

    def test_wrong_options(self):
        for words, text in [(["--reactors", "0"], "must be 1 to 64"), (["--keep-config"], "needs --config"),
                            (["--log-format", "xml"], "text or json"), (["-r", "x" * 200], "107 bytes"),
                            (["-r", "/no/such/directory/s"], "No such file or directory")]:
            with self.subTest(words=words):
                done = subprocess.run([NVMEOFD, *words], capture_output=True, text=True, timeout=PATIENCE)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(text, done.stderr)

    def test_help_shows_the_way_to_a_first_read(self):
        done = subprocess.run([NVMEOFD, "--help"], capture_output=True, text=True, timeout=PATIENCE)
        for word in ["bdev_nvme_attach_controller", "bdev_get_bdevs", "qemu-img", "--keep-config"]:
            self.assertIn(word, done.stdout)
