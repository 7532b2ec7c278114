"""Exports under TLS, and certificates that are replaced while the daemon runs."""
import os
import signal
import subprocess
import tempfile
import time
import unittest

from daemon import PATIENCE, Daemon, Target


def authority(directory):
    """A folder as libnbd looks for it, and the server's files beside: signed by an authority made for it."""
    os.mkdir(directory)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=authority", "-keyout", "ca-key.pem", "-out", "ca-cert.pem")
    openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", "server-key.pem", "-out", "server.csr")
    with open(os.path.join(directory, "extensions"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
            "-days", "2", "-extfile", "extensions", "-out", "server-cert.pem")
    return directory


class TLSTests(unittest.TestCase):
    def setUp(self):
        self.target = Target("--namespace", "memory:16M")
        self.addCleanup(self.target.remove)

    def size(self, uri, directory):
        done = subprocess.run(["nbdinfo", "--size", f"{uri}?tls-certificates={directory}"], capture_output=True, text=True,
                              timeout=PATIENCE)
        return int(done.stdout) if done.returncode == 0 else None

    def test_certificates_are_read_again(self):
        with tempfile.TemporaryDirectory(prefix="nvmeofd-") as directory:
            old = authority(os.path.join(directory, "old"))
            new = authority(os.path.join(directory, "new"))
            certificate, key = os.path.join(directory, "certificate.pem"), os.path.join(directory, "key.pem")

            def use(folder):
                for source, place in [("server-cert.pem", certificate), ("server-key.pem", key)]:
                    with open(os.path.join(folder, source), encoding="utf-8") as file:
                        text = file.read()
                    with open(place, "w", encoding="utf-8") as file:
                        file.write(text)

            def reload(line):
                count = daemon.log_text().count(line)
                daemon.signal(signal.SIGHUP)
                end = time.monotonic() + PATIENCE
                while daemon.log_text().count(line) == count:
                    self.assertLess(time.monotonic(), end, daemon.log_text())
                    time.sleep(0.02)

            use(old)
            daemon = Daemon("--nbd-port", "0", "--nbd-address", "127.0.0.1", "--tls-certificate", certificate, "--tls-key",
                            key, "--config", os.path.join(directory, "config.json"), "--keep-config", directory=directory)
            self.addCleanup(daemon.remove)
            daemon.call("bdev_nvme_attach_controller", {
                "name": "Nvme0", "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1",
                "trsvcid": str(self.target.description["ports"][0]["port"]),
                "subnqn": self.target.description["nqn"]})
            export = daemon.call("nbd_export_start", {"bdev_name": "Nvme0n1", "name": "disk"})
            uri = export["uris"][0].replace("127.0.0.1", "localhost")
            self.assertRegex(uri, r"^nbds://localhost:\d+/disk$")
            self.assertEqual(self.size(uri, old), 16 << 20)
            self.assertIsNone(self.size(uri, new))
            # In the clear there is nothing to be had.
            plain = subprocess.run(["nbdinfo", uri.replace("nbds", "nbd")], capture_output=True, text=True, timeout=PATIENCE)
            self.assertNotEqual(plain.returncode, 0)
            # So libnbd says NBD_REP_ERR_TLS_REQD.
            self.assertIn("Operation not supported", plain.stderr)

            use(new)
            reload("the configuration was read again")
            self.assertEqual(self.size(uri, new), 16 << 20)
            self.assertIsNone(self.size(uri, old))
            # What cannot be read changes nothing.
            with open(key, "w", encoding="utf-8") as file:
                file.write("no key")
            reload("the files of TLS could not be read again")
            self.assertEqual(self.size(uri, new), 16 << 20)
            self.assertEqual(daemon.stop(), 0)

    def test_files_that_are_wrong(self):
        daemon = Daemon("--nbd-port", "0", "--tls-psk-file", "/nowhere", ready=False)
        self.addCleanup(daemon.remove)
        self.assertEqual(daemon.wait(), 1)
        self.assertIn("TLS for NBD: /nowhere: No such file or directory", daemon.log_text())


if __name__ == "__main__":
    unittest.main()
