"""The faults. Each case gets a world, and returns what is to be told: when the fault was noticed, and what the client saw."""
import json
import os
import re
import signal
import subprocess
import time

from rpc import RPCError
from world import BENCH, PATIENCE, SUBSYSTEM

CASES = {}


def case(*, quick=False, **world):
    """`quick` ones are part of `make test`."""
    def register(function):
        function.quick, function.world = quick, world
        CASES[function.__name__.replace("_", "-")] = function
        return function
    return register


def current(world):
    """The place of the path that is used, and of another."""
    place = next(index for index, path in enumerate(world.paths()) if path["current"])
    return place, 1 - place


def flows(world, load):
    """Requests end again, all of them: fenced writes, too."""
    done = load.done

    def holds():
        load.check()
        return load.done > done + 50 and load.held < 1
    world.until("I/O flows", holds)


def no_error(load):
    load.check()
    assert not load.errors, f"{len(load.errors)} I/O errors, the first: {load.errors[0]}"
    return "no error"


def one_path(world, fault, heal, lasting=12, reconnects=False, patience=20, **options):
    """A fault of the path that is used, which the other one takes over from."""
    world.start(**options)
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        place, other = current(world)
        link = world.links[place]
        load.check()
        load.reset()
        start = time.monotonic()
        fault(link)
        noticed = world.until_lost(place, patience)
        world.until("the other path is used", lambda: world.paths()[other]["current"], 5)
        path = world.paths()[place]
        assert not path["current"] and path["connected"] <= reconnects, f"a state that lies: {path}"
        flows(world, load)
        time.sleep(max(0, start + lasting - time.monotonic()))
        heal(link)
        returned = world.healthy()
        flows(world, load)
        losses = world.losses(link)
        # A path that does no I/O is not tried again and again.
        assert losses <= 1 + lasting / 10, f"the path was lost {losses} times in {lasting} s"
        assert load.longest_io < patience + 10, f"an I/O took {load.longest_io:.1f} s"
        load.finish(PATIENCE)
        return {"noticed": noticed, "longest": load.longest_io, "client": no_error(load), "returned": returned}


@case(quick=True)
def black_hole(world):
    """no packet arrives, in either direction"""
    return one_path(world, lambda link: link.swallow("storage", "compute"), lambda link: link.heal("storage", "compute"))


@case(families=(6, 6))
def black_hole_of_ipv6(world):
    """the same, by IPv6"""
    return one_path(world, lambda link: link.swallow("storage", "compute"), lambda link: link.heal("storage", "compute"))


@case(quick=True)
def answers_vanish(world):
    """commands arrive and are carried out, answers do not come"""
    return one_path(world, lambda link: link.swallow("compute"), lambda link: link.heal("compute"))


@case()
def commands_vanish(world):
    """commands do not arrive, the target's packets would"""
    return one_path(world, lambda link: link.swallow("storage"), lambda link: link.heal("storage"))


@case(quick=True)
def link_down(world):
    """the carrier is lost"""
    return one_path(world, lambda link: link.unplug(), lambda link: link.plug())


@case()
def host_unreachable(world):
    """the network says so (ICMP)"""
    return one_path(world, lambda link: link.swallow("storage", kind="unreachable"),
                    lambda link: link.heal("storage", kind="unreachable"))


@case()
def route_gone(world):
    """the compute node's route is deleted, and comes back"""
    return one_path(world, lambda link: link.route("compute", "delete"), lambda link: link.route("compute", "add"))


@case()
def renumbered(world):
    """the compute node's address is another one from then on"""
    def renumber(link):
        old = link.compute
        link.compute = f"{link.net}.3"
        device = f"c{link.index}"
        world.ip("compute", "address", "delete", f"{old}/{link.length}", "dev", device)
        world.ip("compute", "address", "add", f"{link.compute}/{link.length}", "dev", device)
        # (With the address go the routes of its network.)
        world.ip("compute", "route", "replace", f"{link.net}.128/25", "via", link.near, "dev", device)
    world.start()
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        place, _ = current(world)
        load.reset()
        renumber(world.links[place])
        noticed = world.until_lost(place)
        returned = world.healthy(20)
        flows(world, load)
        load.finish(PATIENCE)
        return {"noticed": noticed, "longest": load.longest_io, "client": no_error(load), "returned": returned}


@case()
def flapping(world):
    """the carrier comes and goes every 300 ms for 10 s"""
    world.start()
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        place, _ = current(world)
        load.reset()
        before = world.attempts()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            world.links[place].unplug()
            time.sleep(0.3)
            world.links[place].plug()
            time.sleep(0.3)
        returned = world.healthy()
        flows(world, load)
        attempts = world.attempts() - before
        # Two connections an association, and at most one association a second.
        assert attempts <= 30, f"{attempts} connections in 10 s"
        load.finish(PATIENCE)
        return {"longest": load.longest_io, "client": f"{no_error(load)}, {attempts} new connections", "returned": returned}


@case(quick=True)
def both_links_gone(world):
    """both carriers are lost: for less than fast I/O fail (5 s), for more, and for more than the controller loss time-out (12 s)"""
    world.start()
    world.attach_all(ctrlr_loss_timeout_sec=12, fast_io_fail_timeout_sec=5)

    def unplug():
        for link in world.links:
            link.unplug()
        return time.monotonic()

    def plug():
        for link in world.links:
            link.plug()

    with world.load() as load:
        time.sleep(1)
        load.reset()
        unplug()
        noticed = world.until("the fault is noticed", lambda: "enabled" not in world.states(), 20)
        time.sleep(2)
        plug()
        world.healthy(20)
        flows(world, load)
        longest = load.longest_io
        no_error(load)

        load.reset()
        start = unplug()
        world.until("I/O fails", lambda: load.first_error, 20)
        failed = load.first_error - start
        assert 5 < failed < 12, f"I/O failed after {failed:.1f} s, with fast I/O fail after 5 s"
        text = load.errors[0]
        plug()
        world.healthy(20)
        load.reset()
        flows(world, load)
        no_error(load)

        start = unplug()
        world.until("the controllers are given up", lambda: world.states() == [None, None], 30)
        given_up = time.monotonic() - start
        assert 12 < given_up < 20, f"given up after {given_up:.1f} s, not 12 s"
        assert world.rpc("bdev_get_bdevs") == [], "the device is still there"
        load.stopping.set()
        for writer in load.writers:
            writer.thread.join(10)
            assert not writer.thread.is_alive(), "I/O to a device that is gone hangs"
        load.check()
        return {"noticed": noticed, "longest": longest,
                "client": f"no error; {text} after {failed:.1f} s; device gone after {given_up:.1f} s"}


@case()
def cannot_connect(world):
    """no route, host unreachable, a closed port, a black hole: at attach, and at reconnect"""
    world.start()
    link = world.links[0]
    told = []

    def refused(what, *texts):
        before = len(world.lines(""))
        start = time.monotonic()
        try:
            world.attach(link)
        except RPCError as error:
            said = "\n".join(world.lines("")[before:])
            told.append(f"{what}: {time.monotonic() - start:.1f} s, {error} | {said}")
            assert any(text in said for text in texts), f"{what} is told as: {said}"
            assert "until it is reset" not in said, f"there is nothing to reset: {said}"
            return
        raise AssertionError(f"{what}: attached")

    link.route("compute", "delete")
    refused("no route", "Network is unreachable")
    link.route("compute", "add")
    link.swallow("storage", kind="unreachable")
    refused("host unreachable", "No route to host")
    link.heal("storage", kind="unreachable")
    link.swallow("storage", "compute")
    refused("black hole", "did not come about")
    link.heal("storage", "compute")
    world.target.say(f"port {link.port} off")
    refused("closed port", "Connection refused")
    world.target.say(f"port {link.port} on")
    world.attach_all()
    for what, fault, heal in (
            ("closed port", lambda: world.target.say(f"port {link.port} off"),
             lambda: world.target.say(f"port {link.port} on")),
            ("host unreachable", lambda: link.swallow("storage", kind="unreachable"),
             lambda: link.heal("storage", kind="unreachable")),
            ("no route", lambda: link.route("compute", "delete"), lambda: link.route("compute", "add"))):
        fault()
        world.until(f"{what} is noticed", lambda: world.states()[0] != "enabled", 20)
        before = world.attempts()
        time.sleep(5)
        attempts = world.attempts() - before
        assert attempts <= 8, f"{what}: {attempts} attempts in 5 s"
        told.append(f"{what}: {attempts} attempts in 5 s")
        heal()
        world.healthy(20)
    return {"client": "errors that say so", "told": told}


def shrink(world, link):
    """Packets of more than 1000 bytes vanish, and nobody says so."""
    # What the network's kernel itself sends is ICMP alone.
    world.ip("network", "rule", "add", "iif", "lo", "blackhole")
    world.ip("network", "link", "set", f"s{link.index}", "mtu", "1000")


def grow(world, link):
    world.ip("network", "link", "set", f"s{link.index}", "mtu", "1500")
    world.ip("network", "rule", "delete", "iif", "lo", "blackhole")


@case(quick=True)
def large_segments_vanish(world):
    """an MTU of 1000 in the network that nobody tells of; time-out 4 s"""
    return one_path(world, lambda link: shrink(world, link), lambda link: grow(world, link), lasting=15,
                    reconnects=True, timeout_us=4_000_000, action_on_timeout="reset")


@case()
def large_segments_unacknowledged(world):
    """the same; transport_ack_timeout 4 s instead of a time-out"""
    return one_path(world, lambda link: shrink(world, link), lambda link: grow(world, link), lasting=20,
                    reconnects=True, transport_ack_timeout=12)


@case()
def large_segments_vanish_without_time_out(world):
    """the same, with the daemon's defaults"""
    return one_path(world, lambda link: shrink(world, link), lambda link: grow(world, link), lasting=45,
                    reconnects=True, patience=40)


@case(quick=True, links=("relay", "relay"))
def bad_wire(world):
    """1 % loss, 1 % duplicates, 5 % out of order, on both links and in both directions"""
    world.start()
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        load.reset()
        for link in world.links:
            for to in ("compute", "storage"):
                link.manner(to, loss=0.01, duplicate=0.01, reorder=0.05, delay=0.001)
        time.sleep(12)
        assert world.states() == ["enabled", "enabled"], f"a path is lost: {world.states()}"
        assert not world.lines("controller lost"), world.lines("controller lost")
        load.finish(PATIENCE)
        return {"longest": load.longest_io, "client": no_error(load)}


@case(quick=True, links=("relay", "relay"))
def corruption(world):
    """bits change under a right TCP checksum; header and data digests are on"""
    world.start(nvme_error_stat=True)
    world.attach_all(hdgst=True, ddgst=True)
    with world.load() as load:
        time.sleep(1)
        load.reset()
        for link in world.links:
            for to in ("compute", "storage"):
                link.manner(to, corrupt=0.001)
        time.sleep(15)
        corrupted = 0
        for link in world.links:
            link.manner("compute")
            corrupted += sum(counts["corrupted"] for counts in link.manner("storage").values())
        world.healthy()
        flows(world, load)
        errors = world.rpc("bdev_get_iostat", name="Netn1")["bdevs"][0]["driver_specific"]["nvme_error"]["status_code"]
        load.finish(PATIENCE)
        assert corrupted > 0, "nothing was corrupted"
        assert errors.get("command_transient_transport_error", 0) > 0, f"the counters do not tell of it: {errors}"
        return {"longest": load.longest_io, "client": f"{no_error(load)}, {corrupted} packets corrupted",
                "told": [json.dumps(errors), *world.lines("digest")]}


@case(links=("relay", "relay"))
def resets(world):
    """the connections of the path that is used are reset, once a second"""
    world.start()
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        load.reset()
        for _ in range(8):
            world.links[current(world)[0]].manner("storage", reset=1)
            time.sleep(1)
        world.healthy()
        flows(world, load)
        load.finish(PATIENCE)
        return {"longest": load.longest_io, "client": no_error(load)}


@case(quick=True, links=("relay", "relay"))
def packets_come_late(world):
    """commands stay in the network, and are carried out when the host has given them up; time-out 1 s, keep alive 3 s"""
    world.start(keep_alive_timeout_ms=3000, timeout_us=1_000_000, action_on_timeout="reset")
    world.attach_all()
    with world.load(small=6, large=6, pause=0.002) as load:
        time.sleep(1)
        place, other = current(world)
        link = world.links[place]
        load.reset()
        # The target does not hear that the connections are over: it hears of nothing, for less than the keep alive.
        start = time.monotonic()
        link.manner("compute", hold=True)
        link.manner("storage", hold=True, endless=True)
        noticed = world.until_lost(place)
        world.until("the other path is used", lambda: world.paths()[other]["current"], 5)
        # What the connections had not sent is not sent later. (A FIN counts as a byte.)
        unsent = [line for line in world.run("compute", "ss", "-tnH", "dst", link.storage).splitlines()
                  if int(line.split()[2]) > 1]
        assert not unsent, f"still to be sent: {unsent}"
        time.sleep(max(0, start + 2.1 - time.monotonic()))
        # What is late is not to be hidden by what is newer still.
        load.stopping.set()
        time.sleep(max(0, start + 2.3 - time.monotonic()))
        assert world.run("storage", "ss", "-tnH", "state", "established", "src", link.storage), "given up by the target"
        link.manner("compute")
        held = link.manner("storage", endless=True)["second"]["held"]
        # Now they are carried out. A fence of 3 × 3 + 3 s is for that.
        time.sleep(0.5)
        load.finish(PATIENCE)
        link.manner("storage")
        world.healthy()
        assert held > 0, "no packet was late"
        return {"noticed": noticed, "longest": load.longest_io, "client": f"{no_error(load)}, {held} packets came late"}


@case(links=("relay", "relay"))
def slow_link(world):
    """2 MB/s each way, with the daemon's defaults, and more to write than that"""
    world.start(keep_alive_timeout_ms=10_000, tcp_connect_timeout_ms=0)
    for link in world.links:
        for to in ("compute", "storage"):
            link.manner(to, rate=2_000_000, delay=0.005)
    world.attach_all()
    with world.load(small=8, large=24, pause=0.001) as load:
        time.sleep(20)
        assert world.states() == ["enabled", "enabled"], f"a path is lost: {world.states()}"
        assert not world.lines("controller lost"), world.lines("controller lost")
        load.finish(PATIENCE)
        return {"longest": load.longest_io, "client": no_error(load)}


@case()
def killed(world):
    """nvmeofd is killed with writes under way over a black hole, and started again"""
    configuration = os.path.join(world.directory, "configuration.json")
    world.start("--config", configuration, "--keep-config")
    world.rpc("bdev_nvme_set_options", **world.OPTIONS)
    world.attach_all()
    with world.load() as load:
        time.sleep(1)
        place, other = current(world)
        world.links[place].swallow("storage", "compute")
        time.sleep(0.5)
        before = world.rpc("bdev_get_bdevs")
        world.daemon.send_signal(signal.SIGKILL)
        world.daemon.wait()
        world.start("--config", configuration, "--keep-config")
        back = world.until("the device is back", lambda: world.rpc("bdev_get_bdevs"))
        after = world.rpc("bdev_get_bdevs")
        assert [device["uuid"] for device in after] == [device["uuid"] for device in before], f"{before} … {after}"
        world.until("the export is back", lambda: world.rpc("nbd_get_disks"))
        load.reset()
        flows(world, load)
        no_error(load)
        time.sleep(4)
        world.links[place].heal("storage", "compute")
        returned = world.healthy()
        flows(world, load)
        load.finish(PATIENCE)
        return {"noticed": back, "longest": load.longest_io, "client": "acknowledged data is there", "returned": returned}


@case()
def library(world):
    """the library alone, by nvmeof-bench with two paths: a black hole, and back"""
    first, second = world.links
    bench = subprocess.Popen(
        ["ip", "netns", "exec", world.names["compute"], BENCH, "--name=net", "--rw=randrw", "--bsrange=4k-128k",
         "--blockalign=4k", "--iodepth=16", "--size=16m", "--verify=crc32c", "--verify_backlog=256", "--rate_iops=200",
         "--runtime=16", "--time_based", "--reconnect_delay=1", "--output-format=normal",
         f"--filename=nvme+tcp://{first.storage}:{first.port}/{SUBSYSTEM}?nsid=1&kato=2000",
         f"--paths={second.storage}:{second.port}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    world.processes.append(bench)
    time.sleep(3)
    first.swallow("storage", "compute")
    time.sleep(8)
    first.heal("storage", "compute")
    report, _ = bench.communicate(timeout=PATIENCE)
    assert bench.returncode == 0, report
    paths = re.search(r"longest io=([\d.]+)msec.*failed=0", report)
    assert paths, report
    return {"client": "no error", "longest": float(paths.group(1)) / 1000, "told": [paths.group(0)]}
