"""A wire between two network namespaces that can be bad in ways in which the kernel's own devices cannot, without modules.

    relay.py NAMESPACE NAMESPACE DEVICE     makes DEVICE, a TUN device, in both, and carries packets between them

Each line of standard input is a JSON object that says what becomes of packets to the `first` or to the `second` namespace
({"to": "second", "loss": 0.01}); what it does not name is as at the start. Each is answered by a line, the counts so far.

    loss, duplicate, corrupt, reorder    probabilities; a corrupt packet has a changed byte of payload, and a TCP checksum
                                         that is right for it; a reordered one is 5 to 15 ms late
    delay                                seconds
    rate                                 bytes a second, with a queue of 256 KiB
    largest                              longer packets vanish, without a word
    hold                                 packets are kept, and go on when that is over
    endless                              what would end a connection, RST or FIN, vanishes
    reset                                so many of the next packets with payload end their connection on both sides
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 1, 0x1000
CLONE_NEWNET = 0x40000000
QUEUE_BYTE_COUNT = 256 * 1024
TCP_FINISH, TCP_RESET, TCP_ACKNOWLEDGE = 1, 4, 16


def enter(namespace):
    with open(f"/run/netns/{namespace}", encoding="utf-8") as file:
        library = ctypes.CDLL(None, use_errno=True)
        if library.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns to {namespace}")


def make_device(namespace, name):
    enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) // 2 * 2]))
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Segment:
    """An IPv4 packet with TCP in it."""

    def __init__(self, packet):
        self.tcp = (packet[0] & 15) * 4
        self.payload = self.tcp + (packet[self.tcp + 12] >> 4) * 4
        self.packet = packet

    @staticmethod
    def of(packet):
        """None if it is no such packet, or has no payload."""
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return None
        segment = Segment(packet)
        return segment if segment.payload < len(packet) else None

    @staticmethod
    def ends(packet):
        """Whether it ends a connection."""
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
            return False
        return bool(packet[(packet[0] & 15) * 4 + 13] & (TCP_FINISH | TCP_RESET))

    def corrupted(self, generator):
        changed = bytearray(self.packet)
        changed[generator.randrange(self.payload, len(changed))] ^= 1 << generator.randrange(8)
        return self.with_checksum(changed)

    def with_checksum(self, packet):
        struct.pack_into("!H", packet, self.tcp + 16, 0)
        pseudo = packet[12:20] + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(packet) - self.tcp)
        struct.pack_into("!H", packet, self.tcp + 16, checksum(bytes(pseudo + packet[self.tcp:])))
        return bytes(packet)

    def resets(self):
        """What ends the connection: for whom this is meant, and for whom it is from."""
        source, destination, sequence, acknowledged = struct.unpack_from("!HHII", self.packet, self.tcp)
        return (
            self.reset(self.packet[12:16], self.packet[16:20], source, destination, sequence, acknowledged),
            self.reset(self.packet[16:20], self.packet[12:16], destination, source, acknowledged, sequence))

    def reset(self, source, destination, source_port, destination_port, sequence, acknowledged):
        header = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + source + destination
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        segment = struct.pack(
            "!HHIIBBHHH", source_port, destination_port, sequence, acknowledged, 5 << 4, TCP_RESET | TCP_ACKNOWLEDGE, 0, 0, 0)
        made = Segment.__new__(Segment)
        made.tcp = 20
        return made.with_checksum(bytearray(header + segment))


class Direction:
    def __init__(self, destination):
        self.destination = destination
        self.free_at = 0.0
        self.held = []
        self.counts = dict.fromkeys(
            ["passed", "lost", "duplicated", "corrupted", "reordered", "too large", "held", "reset"], 0)
        self.configure({})

    def configure(self, manner):
        known = {"loss": 0, "duplicate": 0, "corrupt": 0, "reorder": 0, "delay": 0, "rate": 0, "largest": 1 << 16,
                 "hold": False, "endless": False, "reset": 0}
        assert set(manner) <= set(known), manner
        self.manner = {**known, **manner}


class Relay:
    def __init__(self, first, second, name):
        self.generator = random.Random(1)
        devices = [make_device(first, name), make_device(second, name)]
        self.directions = {"first": Direction(devices[0]), "second": Direction(devices[1])}
        self.sources = {devices[0]: self.directions["second"], devices[1]: self.directions["first"]}
        self.late = []
        self.order = 0

    def run(self):
        print("{}", flush=True)
        os.set_blocking(0, False)
        lines = b""
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            readable, _, _ = select.select([0, *self.sources], [], [], wait)
            for descriptor in readable:
                if descriptor == 0:
                    data = os.read(0, 65536)
                    if not data:
                        return
                    lines += data
                    *whole, lines = lines.split(b"\n")
                    for line in whole:
                        self.command(json.loads(line))
                else:
                    self.take(descriptor)
            now = time.monotonic()
            while self.late and self.late[0][0] <= now:
                _, _, direction, packet = heapq.heappop(self.late)
                self.put(direction, packet)

    def command(self, manner):
        direction = self.directions[manner.pop("to")]
        direction.configure(manner)
        if not direction.manner["hold"]:
            for packet in direction.held:
                self.put(direction, packet)
            direction.held = []
        print(json.dumps({name: direction.counts for name, direction in self.directions.items()}), flush=True)

    def take(self, device):
        for _ in range(64):
            try:
                packet = os.read(device, 65536)
            except BlockingIOError:
                return
            self.pass_on(self.sources[device], packet)

    def pass_on(self, direction, packet):
        manner, counts = direction.manner, direction.counts

        def happens(what):
            return manner[what] and self.generator.random() < manner[what]

        if manner["endless"] and Segment.ends(packet):
            counts["lost"] += 1
            return
        if manner["hold"]:
            counts["held"] += 1
            direction.held.append(packet)
            return
        if len(packet) > manner["largest"]:
            counts["too large"] += 1
            return
        if happens("loss"):
            counts["lost"] += 1
            return
        segment = Segment.of(packet)
        if segment and manner["reset"]:
            manner["reset"] -= 1
            counts["reset"] += 1
            there, back = segment.resets()
            self.put(direction, there)
            self.put(next(other for other in self.directions.values() if other is not direction), back)
            return
        if segment and happens("corrupt"):
            counts["corrupted"] += 1
            packet = segment.corrupted(self.generator)
        delay = manner["delay"]
        if manner["rate"]:
            now = time.monotonic()
            if (direction.free_at - now) * manner["rate"] > QUEUE_BYTE_COUNT:
                counts["lost"] += 1
                return
            direction.free_at = max(direction.free_at, now) + len(packet) / manner["rate"]
            delay += direction.free_at - now
        if happens("reorder"):
            counts["reordered"] += 1
            delay += self.generator.uniform(0.005, 0.015)
        for _ in range(2 if happens("duplicate") else 1):
            if delay:
                self.order += 1
                heapq.heappush(self.late, (time.monotonic() + delay, self.order, direction, packet))
            else:
                self.put(direction, packet)
        counts["passed"] += 1

    @staticmethod
    def put(direction, packet):
        try:
            os.write(direction.destination, packet)
        except OSError:
            # The device is down, or has no room: as lost as on any wire.
            direction.counts["lost"] += 1


Relay(*sys.argv[1:]).run()
