"""Targets to measure against: SPDK's nvmf_tgt, where it is to be had, and the embedded target."""

import json
import os
import socket
import subprocess
import tempfile
import time

from . import machine
from .processes import MeasurementError, end, tail, with_affinity

QUEUE_ENTRIES = 640  # room for depth 512
NULL, MEMORY = 1, 2  # namespace identifiers


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Target:
    """One that runs while it is entered. Namespace 1 does nothing, namespace 2 keeps data in memory."""

    name = ""
    subsystem = ""

    def __init__(self, program, processors):
        self.program = program
        self.processors = processors
        self.port = free_port()
        self.process = None
        self.log = None

    def command(self):
        raise NotImplementedError

    def __enter__(self):
        self.log = tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            with_affinity(self.command(), self.processors), stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        limit = time.monotonic() + 60
        while True:
            if self.process.poll() is not None:
                raise MeasurementError(f"the target {self.name} did not start: {self.messages()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if time.monotonic() > limit:
                    end(self.process)
                    raise MeasurementError(
                        f"the target {self.name} did not listen within 60 s: {self.messages()}"
                    ) from None
                time.sleep(0.1)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        end(self.process)
        self.log.close()

    def messages(self):
        self.log.seek(0)
        return tail(self.log.readlines())

    def uri(self, namespace, digests=False):
        return f"nvme+tcp://127.0.0.1:{self.port}/{self.subsystem}?nsid={namespace}" + (
            "&hdgst=1&ddgst=1" if digests else ""
        )


class EmbeddedTarget(Target):
    name = "nvmeof target"
    subsystem = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264"

    def command(self):
        return [
            self.program,
            "target",
            "--port",
            str(self.port),
            "--nqn",
            self.subsystem,
            "--namespace",
            "null:1G:4096",
            "--namespace",
            "memory:256M:4096",
            "--queue-entries",
            str(QUEUE_ENTRIES),
            "--io-queues",
            "128",
        ]


def spdk_memory_options(mebibytes):
    """SPDK's programs take reserved huge pages where there are enough of them for target and initiator."""
    return [] if machine.free_huge_page_mebibytes() >= 2 * mebibytes else ["--no-huge", "-s", str(mebibytes)]


class SPDKTarget(Target):
    name = "nvmf_tgt"
    subsystem = "nqn.2016-06.io.spdk:comparison"

    def __init__(self, program, processors):
        super().__init__(program, processors)
        self.configuration = None

    def command(self):
        mask = sum(1 << processor for processor in self.processors)
        # 128 queue pairs take their whole depth's capsules from the start.
        return [
            self.program,
            "-m",
            hex(mask),
            "--disable-cpumask-locks",
            "-c",
            self.configuration.name,
            *spdk_memory_options(2048),
        ]

    def __enter__(self):
        def call(method, **parameters):
            return {"method": method, "params": parameters}

        block_bytes = 4096
        document = {
            "subsystems": [
                {
                    "subsystem": "bdev",
                    "config": [
                        call(
                            "bdev_null_create",
                            name="Null0",
                            num_blocks=(1 << 30) // block_bytes,
                            block_size=block_bytes,
                        ),
                        call(
                            "bdev_malloc_create",
                            name="Malloc0",
                            num_blocks=(256 << 20) // block_bytes,
                            block_size=block_bytes,
                        ),
                    ],
                },
                {
                    "subsystem": "nvmf",
                    "config": [
                        call(
                            "nvmf_create_transport",
                            trtype="TCP",
                            max_queue_depth=QUEUE_ENTRIES,
                            in_capsule_data_size=4096,
                        ),
                        call(
                            "nvmf_create_subsystem",
                            nqn=self.subsystem,
                            allow_any_host=True,
                            serial_number="COMPARISON",
                            max_namespaces=4,
                        ),
                        call(
                            "nvmf_subsystem_add_ns", nqn=self.subsystem, namespace={"bdev_name": "Null0", "nsid": NULL}
                        ),
                        call(
                            "nvmf_subsystem_add_ns",
                            nqn=self.subsystem,
                            namespace={"bdev_name": "Malloc0", "nsid": MEMORY},
                        ),
                        call(
                            "nvmf_subsystem_add_listener",
                            nqn=self.subsystem,
                            listen_address={
                                "trtype": "TCP",
                                "adrfam": "IPv4",
                                "traddr": "127.0.0.1",
                                "trsvcid": str(self.port),
                            },
                        ),
                    ],
                },
            ]
        }
        self.configuration = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)
        json.dump(document, self.configuration)
        self.configuration.close()
        try:
            return super().__enter__()
        except BaseException:
            os.unlink(self.configuration.name)
            raise

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        os.unlink(self.configuration.name)
