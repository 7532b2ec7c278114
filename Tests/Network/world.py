"""A compute node, a network and a storage node of their own, each a network namespace, with a target, a daemon and a load."""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from load import Load
from rpc import RPC
from target import Target

HERE = os.path.dirname(os.path.abspath(__file__))
NVMEOFD = os.environ["NVMEOFD"]
BENCH = os.environ["NVMEOF_BENCH"]
SUBSYSTEM = "nqn.2014-08.org.example:storage"
# What no call, and no return to health, may take longer than.
PATIENCE = 60
PR_SET_PDEATHSIG = 1


def dies_with_us():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def ip(*words):
    outcome = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, f"ip {' '.join(words)}: {outcome.stderr.strip()}"
    return outcome.stdout


class Link:
    """From the compute node over the network to the storage node. A port of the target is reached by each."""

    def __init__(self, world, index, kind, family=4):
        self.world, self.index, self.kind, self.family = world, index, kind, family
        self.port = str(4420 + index)
        if family == 6:
            self.net, self.length = f"2001:db8:{index}", "64"
            near, far = f"{self.net}:a::", f"{self.net}:b::"
        else:
            self.net, self.length = ("192.0.2", "198.51.100")[index], "25"
            near, far = f"{self.net}.", f"{self.net}.12"
        # (.1 and .2 this side of the network, .128 and .129 that side.)
        self.compute, self.near = f"{near}1", f"{near}2"
        self.far, self.storage = f"{far}8", f"{far}9"
        getattr(self, f"make_{kind}")()

    def address(self, node, device, address):
        more = ("nodad",) if self.family == 6 else ()
        self.world.ip(node, "address", "add", f"{address}/{self.length}", "dev", device, *more)
        self.world.ip(node, "link", "set", device, "up")

    def make_veth(self):
        world, index = self.world, self.index
        for node, device, here, there in (("compute", f"c{index}", self.compute, self.near),
                                          ("storage", f"s{index}", self.storage, self.far)):
            ip("link", "add", device, "netns", world.names[node], "type", "veth",
               "peer", "name", device, "netns", world.names["network"])
            self.address(node, device, here)
            self.address("network", device, there)
        self.route("compute", "add")
        self.route("storage", "add")
        self.relay = None

    def make_relay(self):
        world, index = self.world, self.index
        self.device = f"t{index}"
        self.relay = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "relay.py"), world.names["compute"], world.names["storage"],
             self.device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=dies_with_us)
        world.processes.append(self.relay)
        assert self.relay.stdout.readline(), "the relay does not start"
        self.address("compute", self.device, self.compute)
        self.address("storage", self.device, self.storage)
        self.route("compute", "add")
        self.route("storage", "add")

    def route(self, node, verb):
        """To the other side, and by the network."""
        if self.family == 6:
            there = f"{self.net}:{'b' if node == 'compute' else 'a'}::/64"
        else:
            there = f"{self.net}.{128 if node == 'compute' else 0}/25"
        device = self.device if self.kind == "relay" else f"{node[0]}{self.index}"
        via = () if self.kind == "relay" else ("via", self.near if node == "compute" else self.far)
        self.world.ip(node, "route", verb, there, *via, "dev", device)

    # What can be wrong with it

    def swallow(self, *nodes, kind="blackhole"):
        """What the network has for these nodes goes nowhere."""
        for node in nodes:
            self.world.ip("network", "route", "add", kind, getattr(self, node))

    def heal(self, *nodes, kind="blackhole"):
        for node in nodes:
            self.world.ip("network", "route", "delete", kind, getattr(self, node))

    def unplug(self):
        """The compute node's carrier is lost."""
        self.world.ip("network", "link", "set", f"c{self.index}", "down")

    def plug(self):
        self.world.ip("network", "link", "set", f"c{self.index}", "up")

    def manner(self, to, **manner):
        """See relay.py. Its counts so far."""
        self.relay.stdin.write(json.dumps({"to": {"compute": "first", "storage": "second"}[to], **manner}) + "\n")
        self.relay.stdin.flush()
        return json.loads(self.relay.stdout.readline())


class World:
    # A keep alive of 2 s: noticed in up to 3 s, and a fence of 6 or 8 s.
    TIMERS = {"ctrlr_loss_timeout_sec": -1, "reconnect_delay_sec": 1, "fast_io_fail_timeout_sec": 0}
    OPTIONS = {"keep_alive_timeout_ms": 2000, "tcp_connect_timeout_ms": 2000}

    def __init__(self, name, prefix, links=("veth", "veth"), families=(4, 4)):
        self.name, self.prefix = name, prefix
        self.names = {node: f"{prefix}-{name}-{node}" for node in ("compute", "network", "storage")}
        self.processes = []
        self.directory = tempfile.mkdtemp(prefix=f"{prefix}-")
        self.socket = os.path.join(self.directory, "rpc.sock")
        self.export = os.path.join(self.directory, "export.sock")
        self.daemon = None
        for node in self.names.values():
            ip("netns", "add", node)
        for node in self.names:
            self.ip(node, "link", "set", "lo", "up")
            # Looking for duplicate addresses takes a second or two, in which IPv6 does not forward.
            self.run(node, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; "
                     "echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad")
        self.run("network", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; "
                 "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        self.links = [Link(self, index, kind, family) for index, (kind, family) in enumerate(zip(links, families))]
        ports = (word for link in self.links for word in ("--port", link.port))
        self.target = Target(
            SUBSYSTEM, "--address", "::" if 6 in families else "0.0.0.0", *ports, "--namespace", "memory:32M:4096",
            before=("ip", "netns", "exec", self.names["storage"]), preexec_fn=dies_with_us)
        self.processes.append(self.target.process)

    def ip(self, node, *words):
        family = ("-6",) if any(":" in word for word in words) else ()
        return ip(*family, "-n", self.names[node], *words)

    def run(self, node, *words):
        return subprocess.run(["ip", "netns", "exec", self.names[node], *words], check=True, capture_output=True,
                              text=True).stdout

    # The daemon

    def start(self, *options, **nvme):
        self.log = open(os.path.join(self.directory, "log"), "ab")
        self.daemon = subprocess.Popen(
            ["ip", "netns", "exec", self.names["compute"], NVMEOFD, "--rpc-socket", self.socket, *options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, "HOME": self.directory},
            preexec_fn=dies_with_us)
        self.processes.append(self.daemon)
        self.until("nvmeofd serves its socket", self.connect)
        if nvme is not None and not options:
            self.rpc("bdev_nvme_set_options", **{**self.OPTIONS, **nvme})

    def connect(self):
        assert self.daemon.poll() is None, f"nvmeofd ended with {self.daemon.returncode}"
        # (The socket of one that was killed may still take a connection: its ring is taken down a moment later.)
        with contextlib.suppress(OSError, EOFError):
            self.rpc = RPC(self.socket, PATIENCE)
            self.rpc("rpc_get_methods")
            return True
        return False

    def attach(self, link, **more):
        return self.rpc(
            "bdev_nvme_attach_controller", name="Net", trtype="tcp", adrfam=f"ipv{link.family}", traddr=link.storage,
            trsvcid=link.port, subnqn=SUBSYSTEM, hostnqn="nqn.2014-08.org.example:compute", multipath="multipath",
            **{**self.TIMERS, **more})

    def attach_all(self, **more):
        for link in self.links:
            self.attach(link, **more)
        self.rpc("nbd_start_disk", bdev_name="Netn1", nbd_device=self.export)

    def load(self, **more):
        return Load(self.export, "Netn1", **more)

    def states(self):
        """Of each link's controller."""
        by_address = {}
        for controllers in self.rpc("bdev_nvme_get_controllers"):
            for controller in controllers["ctrlrs"]:
                by_address[controller["trid"]["traddr"]] = controller["state"]
        return [by_address.get(link.storage) for link in self.links]

    def paths(self):
        """Each link's path, by its address."""
        by_address = {}
        for group in self.rpc("bdev_nvme_get_io_paths", name="Netn1")["poll_groups"]:
            for path in group["io_paths"]:
                by_address[path["transport"]["traddr"]] = path
        return [by_address.get(link.storage) for link in self.links]

    def lines(self, text):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as log:
            return [line.rstrip() for line in log if text in line]

    def attempts(self):
        """Connections that the compute node has begun so far."""
        names, values = self.run("compute", "grep", "^Tcp:", "/proc/net/snmp").splitlines()
        return int(dict(zip(names.split(), values.split()))["ActiveOpens"])

    # Time

    def until(self, what, holds, patience=PATIENCE):
        """Seconds it took."""
        start = time.monotonic()
        while not holds():
            if time.monotonic() > start + patience:
                raise AssertionError(f"not within {patience} s: {what}")
            time.sleep(0.05)
        return time.monotonic() - start

    def healthy(self, patience=PATIENCE):
        """All are connected, and one is used."""
        def holds():
            # (Without a client there are no I/O paths.)
            paths = [path for path in self.paths() if path]
            return self.states() == ["enabled"] * len(self.links) and (not paths or all(
                path["connected"] and path["accessible"] for path in paths) and any(
                path["current"] for path in paths))
        return self.until("both paths are back", holds, patience)

    def losses(self, link):
        """How often the log says that the link's controller was lost."""
        return sum(link.storage in line for line in self.lines("controller lost"))

    def until_lost(self, place, patience=20):
        """Seconds until one more loss of the link's controller is told."""
        before = self.losses(self.links[place])
        return self.until("the fault is noticed", lambda: self.losses(self.links[place]) > before, patience)

    def tell(self):
        """For whoever looks into a failure."""
        with contextlib.suppress(Exception):
            self.rpc = RPC(self.socket, 5)
            print(f"states {self.states()}\npaths {json.dumps(self.paths())}")
        for node in self.names:
            with contextlib.suppress(Exception):
                print(f"{node}:\n{self.run(node, 'ss', '-tino')}{self.ip(node, 'route')}")
        with contextlib.suppress(OSError):
            print("".join(f"  {line}\n" for line in self.lines("")[-40:]))

    def clean_up(self):
        for process in self.processes:
            process.kill()
            process.wait()
        for node in self.names.values():
            subprocess.run(["ip", "netns", "delete", node], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)
