"""Verified I/O through an export, which remembers what it was told."""
import contextlib
import random
import threading
import time

import nbd


class Writer:
    """One request at a time over a few blocks, so that each is written again and again: a write that is executed late
    is over a newer one."""

    BLOCK_COUNT = 8

    def __init__(self, load, index, byte_count, offset, pause):
        self.load = load
        self.index = index
        self.byte_count = byte_count
        self.offset = offset
        self.pause = pause
        # What may be in each block: more than one after a write that failed.
        self.versions = [{0} for _ in range(self.BLOCK_COUNT)]
        self.newest = 0
        self.thread = threading.Thread(target=self.play, daemon=True)

    def stamp(self, block, version):
        if version == 0:
            return bytes(self.byte_count)
        stamp = f"{self.index} {block} {version} ".encode()
        return (stamp * (self.byte_count // len(stamp) + 1))[:self.byte_count]

    def play(self):
        generator = random.Random(self.index)
        handle = None
        try:
            while not self.load.stopping.is_set():
                try:
                    handle = handle or self.load.open()
                    self.one(handle, generator)
                except nbd.Error as error:
                    self.load.failed(error)
                    if handle and (handle.aio_is_dead() or handle.aio_is_closed()):
                        handle = None
                    self.load.stopping.wait(0.1)
                self.load.stopping.wait(self.pause)
        except Exception as error:  # Whatever it is, it ends the case.
            self.load.broken = self.load.broken or f"{type(error).__name__}: {error}"

    def one(self, handle, generator):
        block = generator.randrange(self.BLOCK_COUNT)
        place = self.offset + block * self.byte_count
        if generator.random() < 0.75:
            self.newest += 1
            version = self.newest
            # While it is under way, either; and afterwards, if it fails.
            self.versions[block].add(version)
            with self.load.timed("write"):
                handle.pwrite(self.stamp(block, version), place)
            self.versions[block] = {version}
        else:
            self.verify(handle, block)

    def verify(self, handle, block):
        with self.load.timed("read"):
            content = bytes(handle.pread(self.byte_count, self.offset + block * self.byte_count))
        for version in self.versions[block]:
            if content == self.stamp(block, version):
                # What has been seen once is there.
                self.versions[block] = {version}
                return
        raise AssertionError(
            f"block {block} of writer {self.index} has {content[:24]} … {content[-24:]}, not of {self.versions[block]}")


class Load:
    """Writers of 4 KiB and of 128 KiB, each of whose I/Os is timed."""

    def __init__(self, path, name, small=4, large=4, pause=0.01):
        self.path, self.name = path, name
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.broken = None
        self.under_way = {}
        self.reset()
        self.writers = []
        offset = 0
        for index in range(small + large):
            byte_count = 4096 if index < small else 131072
            self.writers.append(Writer(self, index, byte_count, offset, pause if index < small else 3 * pause))
            offset += byte_count * Writer.BLOCK_COUNT

    def __enter__(self):
        for writer in self.writers:
            writer.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()

    def open(self):
        handle = nbd.NBD()
        handle.set_export_name(self.name)
        handle.connect_unix(self.path)
        return handle

    def reset(self):
        """Begins to count anew."""
        with self.lock:
            self.longest = {"read": 0.0, "write": 0.0}
            self.done = 0
            self.errors = []
            self.first_error = None

    @contextlib.contextmanager
    def timed(self, what):
        start = time.monotonic()
        key = threading.get_ident()
        self.under_way[key] = start
        try:
            yield
            with self.lock:
                self.done += 1
        finally:
            with self.lock:
                self.under_way.pop(key, None)
                self.longest[what] = max(self.longest[what], time.monotonic() - start)

    def failed(self, error):
        with self.lock:
            self.first_error = self.first_error or time.monotonic()
            self.errors.append(f"{error.string} ({error.errnum})")

    def check(self):
        if self.broken:
            raise AssertionError(self.broken)

    @property
    def held(self):
        """How long the oldest request that is under way has been so."""
        with self.lock:
            return max((time.monotonic() - start for start in self.under_way.values()), default=0.0)

    @property
    def longest_io(self):
        return max(*self.longest.values(), self.held)

    def finish(self, patience):
        """Ends it, and reads everything back."""
        self.stopping.set()
        for writer in self.writers:
            writer.thread.join(patience)
            if writer.thread.is_alive():
                raise AssertionError(f"a request of writer {writer.index} does not end")
        self.check()
        handle = self.open()
        for writer in self.writers:
            for block in range(Writer.BLOCK_COUNT):
                writer.verify(handle, block)
        handle.shutdown()
