# Two targets do everything on a fresh Debian machine with Swift 6.3: `make bench` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Suites and tests full of deadlines and hostile peers: one after the other, so that they measure the code and not the machine.
ALONE := AttachGateTests|TCPTransportTests|NBDServerTests|EmbeddedTargetTests|CommandLineToolTests|MultipathBlockDeviceTests|pathsThatAreLostCostNoData
# Suites with short time-outs that do little themselves: beside each other, but not beside what keeps the processors busy.
TIMED := CommandTimeoutTests|NVMeBlockDeviceLifeTests|DiscoveredDevicesTests|PersistentDiscoveryTests|TrafficBasedKeepAliveTests
TIMED := $(TIMED)|DaemonTests.OperationTests|DaemonTests.AttachTests|DaemonTests.DiscoveryMethodTests
# So many tests at once: all of them in one queue for as few threads as there are processors keep each other waiting for a minute.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 8
SEEDS ?= 2000
FIRST_SEED ?= 0
.PHONY: help setup bench compare build release lint test unit conformance simulate fuzz sanitize readers rpc nbd network soak \
  allocations instructions clean tests simulated-tests ahead

help: ## this text
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

bench: ## build and run the benchmark against the embedded target
	@Scripts/setup build
	swift build -c release --product nvmeof-bench
	.build/release/nvmeof-bench --output-format=summary Benchmarks/bench.fio

compare: ## measure beside the wire limit and the peers found (NVMEOF_PEERS=DIR:DIR), and draw the plots
	@Scripts/setup compare
	Benchmarks/compare
	Benchmarks/plot

build: ## debug build of everything
	@Scripts/setup build
	swift build

release: ## release build of the tools, which run where there is no Swift
	@Scripts/setup build
	swift build -c release --static-swift-stdlib

test: ## everything that must pass: format, unit tests, fio's readers, SPDK's clients, NBD clients, networks that fail, a soak of the daemon, allocation and instruction gates, fuzzing, conformance against Linux nvmet
	@Scripts/setup test
	$(MAKE) lint
	swift build --build-tests
	$(MAKE) -j 2 tests ahead
	$(MAKE) -j 2 --output-sync readers rpc nbd
	$(MAKE) network soak allocations instructions simulate NETWORK=--quick

lint: ## swift format, strict
	swift format lint --strict --recursive --parallel Package.swift Sources Tests

unit: ## all tests, the conformance suite against Linux nvmet in its guest included
	swift build --build-tests
	$(MAKE) -j 2 tests simulated-tests

tests:
	Scripts/bounded 600 swift test --skip-build --skip '$(ALONE)|$(TIMED)|SimulationTests|ConformanceTests|DaemonEndToEndTests'
	Scripts/bounded 300 swift test --skip-build --filter '$(TIMED)'
	Scripts/bounded 900 swift test --skip-build --no-parallel --filter '$(ALONE)'
	Scripts/bounded 900 swift test --skip-build --filter ConformanceTests
	Scripts/bounded 600 swift test --skip-build --filter DaemonEndToEndTests
	python3 -B -m unittest discover -q -s Benchmarks -t Benchmarks

# Worlds with clocks of their own, which may take as long as they like. Without `swift test`, of which only one runs at a time.
simulated-tests:
	Scripts/bounded 900 nice -n 19 .build/debug/swift-nvmeofPackageTests.xctest --testing-library swift-testing \
	  --filter SimulationTests

# What later stages need, the simulation and the fuzzing, on the processor time that tests leave: most of them wait. Where
# there can be no guest, the tests that need one say so.
ahead:
	-@nice -n 19 Tests/NvmetGuest/build-guest >/dev/null
	nice -n 19 $(MAKE) simulated-tests
	nice -n 19 Fuzz/run

conformance: ## only the conformance suite against Linux nvmet
	@Scripts/setup test
	swift test --filter ConformanceTests

simulate: ## the initiator in simulated worlds: SEEDS=n FIRST_SEED=m; prints the seeds that fail; then plants bugs that must be found
	@Scripts/setup build
	swift build -c release --product simulate
	.build/release/simulate $(FIRST_SEED) $(SEEDS)
	.build/release/simulate 0 1000 planted

allocations: ## no allocation on the path of an I/O
	Tests/AllocationGate/run

instructions: ## no I/O dearer in instructions than the committed figures, by callgrind
	Tests/InstructionGate/run

fuzz: ## a fixed number of fuzzing runs, address sanitizer on
	Fuzz/run

sanitize: ## unit tests under the address and the thread sanitizer
	@Scripts/setup test
	Tests/Sanitizers/run address
	Tests/Sanitizers/run thread

readers: ## tools that read fio's JSON, on ours
	@Scripts/setup test
	Tests/FioReaders/run

rpc: ## SPDK's client from PyPI, in two releases, drives nvmeofd
	@Scripts/setup test
	Tests/RPCClient/run

nbd: ## NBD clients (nbdinfo, nbdcopy, qemu-img, fio, a guest's kernel) on what nvmeof export serves
	@Scripts/setup test
	Tests/NBDClients/run

network: ## nvmeofd and nvmeof-bench over links that really fail, in network namespaces: NETWORK=--quick, or cases
	@Scripts/setup test
	Tests/Network/run $(NETWORK)

soak: ## nvmeofd under everything at once, two minutes, or SOAK_SECONDS=n
	@Scripts/setup test
	Tests/Soak/run $(SOAK_SECONDS)

clean: ## remove what was built
	rm -rf .build build
