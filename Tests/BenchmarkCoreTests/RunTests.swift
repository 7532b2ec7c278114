import BlockDevice
import EmbeddedTarget
import Foundation
import Synchronization
import TestSupport
import Testing
import ToolOutput

@testable import BenchmarkCore

/// Whole runs, with threads.
@Suite struct RunTests {
  private func execute(_ arguments: [String], stop: StopSignal = StopSignal()) async throws -> RunReport {
    try await onThread {
      let invocation = try CommandLineReader.read(["--eta=never", "--output=/dev/null"] + arguments)
      let parsed = try plan(arguments)
      let output = try ReportOutput(invocation)
      return try BenchmarkRun(plan: parsed, invocation: invocation, stop: stop, output: output)
        .run(open: TargetOpener.open)
    }
  }

  /// Notes when jobs begin and end.
  private final class OrderDevice: BenchmarkDevice {
    let capacityBytes: UInt64 = 1 << 20
    let blockByteCount: UInt32 = 512
    let name = "order"
    let notes: [String] = []
    let events = Mutex<[String]>([])
    let waiting = Mutex<(atGate: Int, most: Int)>((0, 0))

    func close() {}

    func run(_ setup: JobSetup, gate: some JobGate) -> JobOutcome {
      gate.announceReady()
      while gate.decision == .wait { SystemClock().sleep(nanoseconds: 100_000) }
      events.withLock { $0.append("+" + setup.options.name) }
      SystemClock().sleep(nanoseconds: 2_000_000)
      events.withLock { $0.append("-" + setup.options.name) }
      return JobOutcome()
    }
  }

  private func order(_ arguments: [String]) async throws -> [String] {
    try await onThread {
      let device = OrderDevice()
      let invocation = try CommandLineReader.read(["--eta=never", "--output=/dev/null"])
      let output = try ReportOutput(invocation)
      let run = BenchmarkRun(
        plan: try plan(arguments), invocation: invocation, stop: StopSignal(), output: output)
      _ = try run.run { _, _ in device }
      return device.events.withLock { $0 }
    }
  }

  @Test func stonewallsAreWalls() async throws {
    let events = try await order([
      "--name=a", "--numjobs=3", "--name=b", "--stonewall", "--name=c", "--name=d", "--stonewall",
    ])
    let firstOfB = try #require(events.firstIndex(of: "+b"))
    #expect(events.lastIndex(of: "-a").map { $0 < firstOfB } == true)
    #expect(events.count { $0 == "+a" } == 3)
    let d = try #require(events.firstIndex(of: "+d"))
    #expect(try #require(events.lastIndex(of: "-b")) < d)
    #expect(try #require(events.lastIndex(of: "-c")) < d)
  }

  @Test func waitForWaitsForOne() async throws {
    let events = try await order(["--name=a", "--name=b", "--wait_for=a", "--name=c", "--wait_for=b"])
    #expect(events == ["+a", "-a", "+b", "-b", "+c", "-c"])
  }

  @Test(arguments: [
    ("group", ["long": false, "other": true, "wall": true]),
    ("stonewall", ["long": false, "other": false, "wall": true]),
    ("all", ["long": false, "other": false, "wall": false]),
  ]) func exitallEndsWhatItNames(_ scope: String, _ lasts: [String: Bool]) async throws {
    // "other" is of a group of its own, but not behind a wall. The slow ones would take most of a minute.
    let slow = ["--rw=read", "--size=1m", "--rate_iops=5"]
    let other = scope == "group" ? ["--rw=read", "--size=1m"] : slow
    let short = ["--rw=read", "--size=8k", "--exitall", "--exit_what=\(scope)"]
    let report = try await execute(
      ["--filename=null:1m", "--name=short"] + short + ["--name=long"] + slow + ["--name=other", "--new_group"] + other
        + ["--name=wall", "--stonewall", "--rw=read"])
    #expect(report.entries.first?.statistics.operations == 2)
    for (name, isWhole) in lasts {
      let operations = report.entries.first { $0.name == name }?.statistics.operations ?? 0
      #expect((operations == 256) == isWhole, "\(name): \(operations)")
    }
    #expect(report.entries.allSatisfy { $0.failure == nil })
  }

  @Test func exitallOnErrorCountsWhatFailsBeforeItBegins() async throws {
    let report = try await execute([
      "--filename=memory:1m", "--name=broken", "--cpus_allowed=1023", "--exitall_on_error", "--name=slow", "--rw=read",
      "--rate_iops=20",
    ])
    #expect(report.entries.first { $0.name == "broken" }?.failure?.kind == .setup)
    let slow = try #require(report.entries.first { $0.name == "slow" })
    // All of it would take 12 s.
    #expect(slow.failure == nil && slow.statistics.operations < 256)
  }

  @Test func clonesAreReportedApartOrJoined() async throws {
    let apart = try await execute(["--filename=null:1m", "--name=a", "--rw=randread", "--numjobs=3"])
    #expect(apart.entries.count == 3)
    #expect(apart.entries.allSatisfy { $0.statistics.operations == 256 })
    #expect(Set(apart.entries.map(\.threadIdentifier)).count == 3)
    let joined = try await execute([
      "--filename=null:1m", "--name=a", "--rw=randread", "--numjobs=3", "--group_reporting",
    ])
    #expect(joined.entries.count == 1)
    #expect(joined.entries[0].jobCount == 3)
    #expect(joined.entries[0].statistics.operations == 768)
  }

  @Test func memoryVerifiesOverBothFaces() async throws {
    for engine in IOEngine.allCases {
      let report = try await execute([
        "--filename=memory:4m", "--name=a", "--rw=randrw", "--bssplit=4k/50:16k/50", "--iodepth=8",
        "--verify=crc32c", "--ioengine=\(engine.rawValue)",
      ])
      let entry = try #require(report.entries.first)
      #expect(entry.failure == nil, "\(String(describing: entry.failure))")
      #expect(entry.statistics.verifiedBlocks > 100)
      #expect(entry.statistics.verifyFailures == 0)
    }
  }

  /// Schedules, pauses and verification in rounds hold I/Os back: a task must wait then, and go on afterwards.
  @Test(
    arguments: IOEngine.allCases,
    [
      ["--rate_iops=20000"], ["--thinktime=200us", "--thinktime_blocks=8"], ["--verify=crc32c", "--verify_backlog=16"],
      ["--fsync=4"],
    ])
  func whatIsHeldBackGoesOn(_ engine: IOEngine, _ options: [String]) async throws {
    for filename in ["memory:1m", "embedded:1m"] {
      let report = try await execute(
        ["--filename=\(filename)", "--name=a", "--rw=randwrite", "--bs=4k", "--iodepth=8"] + options
          + ["--ioengine=\(engine.rawValue)"])
      let entry = try #require(report.entries.first)
      #expect(entry.failure == nil, "\(String(describing: entry.failure))")
      let statistics = entry.statistics
      #expect(statistics.directions.write.operations == 256)
      #expect(statistics.directions.write.submission.count == 256)
      #expect(statistics.submitBatches.total > 2 && statistics.completeBatches.total > 2)
      #expect(statistics.directions.write.completion.minimum > 0)
      let verified = options[0].hasPrefix("--verify")
      #expect(statistics.verifiedBlocks == (verified ? 256 : 0) && statistics.verifyFailures == 0)
      #expect(statistics.sync.count == (options[0].hasPrefix("--fsync") ? 64 : 0))
    }
  }

  /// A device that has shrunk refuses what lies behind its end: the job's end comes nevertheless.
  @Test(arguments: IOEngine.allCases) func aJobWhoseIOIsRefusedEnds(_ engine: IOEngine) async throws {
    let report = try await onThread {
      let device = try MemoryBlockDevice(
        blockByteCount: 512, blockCount: 2048, reactor: try Reactor(submissionEntries: 8, completionEntries: 16).handle)
      let invocation = try CommandLineReader.read(["--eta=never", "--output=/dev/null"])
      // The number of I/Os ends a job that does not look at the time.
      let jobs = try plan([
        "--name=a", "--rw=randread", "--offset=1m", "--time_based", "--runtime=20ms", "--number_ios=200000",
        "--iodepth=4", "--continue_on_error=all", "--norandommap", "--ioengine=\(engine.rawValue)",
      ])
      let run = BenchmarkRun(
        plan: jobs, invocation: invocation, stop: StopSignal(), output: try ReportOutput(invocation))
      return try run.run { _, _ in
        BlockDeviceBenchmark(name: "shrunk", geometry: BlockGeometry(blockByteCount: 512, blockCount: 4096)) { _, _ in
          AttachedDevice(device: device, detach: { _ in })
        }
      }
    }
    let entry = try #require(report.entries.first)
    #expect(entry.statistics.operations == 0)
    #expect(entry.failureCount > 0 && entry.failureCount < 200_000)
  }

  @Test func theEmbeddedTargetVerifies() async throws {
    let report = try await execute([
      "--name=a", "--rw=randwrite", "--bs=4k", "--size=4m", "--iodepth=16", "--numjobs=2",
      "--offset_increment=4m", "--verify=crc32c", "--group_reporting",
    ])
    let entry = try #require(report.entries.first)
    #expect(entry.failure == nil, "\(String(describing: entry.failure))")
    #expect(entry.statistics.verifiedBlocks == 2048)
    #expect(report.notes.contains { $0.contains("embedded target") })
    #expect(entry.statistics.processorMicrosecondsPerOperation > 0)
  }

  @Test(arguments: IOEngine.allCases, WaitStyle.allCases)
  func severalConnectionsShareAReactor(_ engine: IOEngine, _ style: WaitStyle) async throws {
    let report = try await execute([
      "--filename=embedded:8m", "--name=a", "--rw=randwrite", "--bs=4k", "--size=2m", "--iodepth=4", "--connections=5",
      "--verify=crc32c", "--ioengine=\(engine.rawValue)", "--wait_mode=\(style.rawValue)",
    ])
    let entry = try #require(report.entries.first)
    #expect(entry.failure == nil, "\(String(describing: entry.failure))")
    #expect(entry.statistics.verifiedBlocks == 512)
    // Twenty I/Os at once are only possible with all five connections.
    #expect(entry.statistics.depths.counts[4] > 0)
  }

  /// Two paths of which each is lost in turn, until the job has ended, and both faces.
  @Test(arguments: IOEngine.allCases)
  func pathsThatAreLostCostNoData(_ engine: IOEngine) async throws {
    let nqn = "nqn.2026-11.io.swift-nvmeof:bench"
    let target = try await EmbeddedTarget.start()
    try await target.addSubsystem(SubsystemConfiguration(nqn: nqn, namespace: .memory(byteCount: 8 << 20)))
    let ports = [try await target.addPort(), try await target.addPort()]
    let trouble = Task {
      var count = 0
      while !Task.isCancelled {
        let port = ports[count % 2]
        // Long enough for a path to be attached on a slow machine, else none ever comes back.
        try await Task.sleep(for: .milliseconds(200))
        try await target.removePort(port.identifier)
        try await Task.sleep(for: .milliseconds(60))
        var configuration = PortConfiguration(port: port.port)
        configuration.identifier = port.identifier
        try await target.addPort(configuration)
        count += 1
      }
    }
    let report = try await execute([
      "--filename=nvme+tcp://127.0.0.1:\(ports[0].port)/\(nqn)?kato=400&hostid=6b2f3a51-58e4-4b52-9d0f-1c0a7a2f4e11",
      "--paths=127.0.0.1:\(ports[1].port)", "--path_policy=round_robin", "--reconnect_delay=20ms", "--name=a",
      "--rw=randrw", "--bs=4k", "--iodepth=8", "--connections=2", "--time_based", "--runtime=4s",
      "--verify=crc32c", "--verify_backlog=64", "--ioengine=\(engine.rawValue)",
    ])
    trouble.cancel()
    _ = await trouble.result
    await target.stop()
    let entry = try #require(report.entries.first)
    #expect(entry.failure == nil, "\(String(describing: entry.failure))")
    #expect(entry.statistics.verifiedBlocks > 0 && entry.statistics.verifyFailures == 0)
    let paths = try #require(entry.statistics.paths)
    #expect(paths.paths.map(\.address) == ports.map { "127.0.0.1:\($0.port)" })
    #expect(paths.paths.allSatisfy { $0.lossCount > 0 && $0.reconnectCount > 0 && $0.longestOutage > 0 })
    #expect(paths.failureCount == 0 && paths.failoverCount > 0)
    // What was held counts from when the loss was known, the I/O from its start.
    #expect(paths.longestHold > 0 && entry.statistics.longestOperation >= paths.longestHold)
  }

  @Test(arguments: IOEngine.allCases, [1, 2])
  func aFailureIsToldOfTheIOThatFailed(_ engine: IOEngine, _ connections: Int) async throws {
    let nqn = "nqn.2026-11.io.swift-nvmeof:bench"
    let target = try await EmbeddedTarget.start()
    try await target.addSubsystem(SubsystemConfiguration(nqn: nqn, namespace: .memory(byteCount: 8 << 20)))
    let port = try await target.addPort()
    var fault = FaultRule(.ioCommand(), .close)
    fault.skipCount = 200
    _ = try await target.addFault(fault)
    let report = try await execute([
      "--filename=nvme+tcp://127.0.0.1:\(port.port)/\(nqn)", "--name=a", "--rw=randrw", "--iodepth=16",
      "--connections=\(connections)", "--ioengine=\(engine.rawValue)",
    ])
    await target.stop()
    // All that was outstanding fails at once: "read at offset 4096, …: read of blocks 8…15 on … failed".
    let message = try #require(report.entries.first?.failure?.message)
    let match = try #require(
      message.firstMatch(of: #/^(read|write) at offset (\d+), length 4096: (read|write) of blocks (\d+)…/#),
      "\(message)")
    #expect(match.1 == match.3, "\(message)")
    let (offset, block) = (try #require(UInt64(match.2)), try #require(UInt64(match.4)))
    #expect(offset == block * 512, "\(message)")
  }

  @Test func aDeadPathIsToldAndOneIsEnough() async throws {
    let nqn = "nqn.2026-11.io.swift-nvmeof:bench"
    let target = try await EmbeddedTarget.start()
    try await target.addSubsystem(SubsystemConfiguration(nqn: nqn, namespace: .memory(byteCount: 1 << 20)))
    let port = try await target.addPort()
    // Port 1 of the loopback address has no listener.
    let options = ["--name=a", "--rw=randread", "--iodepth=4"]
    for (first, other) in [(port.port, 1), (1, port.port)] {
      let report = try await execute(
        ["--filename=nvme+tcp://127.0.0.1:\(first)/\(nqn)", "--paths=127.0.0.1:\(other)"] + options)
      let entry = try #require(report.entries.first)
      #expect(entry.failure == nil && entry.statistics.operations == 256)
      let dead = try #require(entry.statistics.paths?.paths.first { $0.address == "127.0.0.1:1" })
      #expect(dead.obstacle != nil && dead.failedAttemptCount > 0)
      #expect(report.notes.contains { $0.contains("path 127.0.0.1:1 is down") })
    }
    func refused(_ arguments: String...) async -> String {
      do {
        _ = try await execute(arguments + options)
        return "nothing"
      } catch {
        return "\(error)"
      }
    }
    let place = "127.0.0.1:\(port.port)"
    #expect(await refused("--filename=nvme+tcp://\(place)/\(nqn)", "--paths=\(place)").contains("target's own address"))
    #expect(await refused("--filename=nvme+tcp://127.0.0.1:1/\(nqn)", "--paths=127.0.0.1:2").contains("no path to"))
    #expect(await refused("--filename=memory:1m", "--paths=127.0.0.1:2").contains("over the network"))
    #expect(await refused("--filename=embedded:1m", "--paths=127.0.0.1:2").contains("one address"))
    await target.stop()
  }

  @Test func severalChannelsOfADeviceInMemory() async throws {
    let report = try await execute([
      "--filename=memory:4m", "--name=a", "--rw=randrw", "--iodepth=3", "--connections=3", "--verify=crc32c",
    ])
    #expect(report.entries.map { $0.failure?.message } == [nil])
    #expect(report.entries[0].statistics.verifyFailures == 0)
  }

  @Test func theEmbeddedTargetTrimsAndFlushes() async throws {
    let report = try await execute([
      "--filename=embedded:8m", "--name=t", "--rw=randtrim", "--bs=64k", "--iodepth=4", "--name=w", "--stonewall",
      "--rw=write", "--bs=64k", "--fsync=16", "--name=d", "--stonewall", "--rw=randread", "--ioengine=async",
      "--iodepth=4", "--size=1m",
    ])
    #expect(report.entries.map { $0.failure?.message } == [nil, nil, nil])
    #expect(report.entries[0].statistics.directions.trim.operations == 128)
    #expect(report.entries[1].statistics.sync.count > 0)
    #expect(report.entries[2].statistics.directions.read.operations == 256)
  }

  @Test func unreachableTargetsAreTyped() async throws {
    // Port 1 of the loopback address has no listener.
    await #expect(throws: TargetOpener.Failure.self) {
      try await execute([
        "--filename=nvme+tcp://127.0.0.1:1/nqn.none?hostid=6b2f3a51-58e4-4b52-9d0f-1c0a7a2f4e11", "--name=a",
      ])
    }
    await #expect(throws: (any Error).self) { try await execute(["--filename=/nowhere/at/all", "--name=a"]) }
    for text in ["http://host/nqn.x", "nvme+tcp://127.0.0.1:0/nqn.x", "trtype:RDMA traddr:127.0.0.1 subnqn:nqn.x"] {
      await #expect(throws: (any Error).self) { try await execute(["--filename=\(text)", "--name=a"]) }
    }
    await #expect(throws: TargetOpener.Failure.self) { try await execute(["--filename=nvme+tcp://[::1]", "--name=a"]) }
    await #expect(throws: TargetOpener.Failure.self) { try await execute(["--filename=null:x", "--name=a"]) }
    await #expect(throws: JobFailure.self) { try await execute(["--filename=null:1m", "--name=a", "--size=2m"]) }
  }

  @Test func aStopBeforeTheStartEndsTheRun() async throws {
    let stop = StopSignal()
    stop.stop()
    let report = try await execute(
      ["--filename=null:1m", "--name=a", "--rw=randread", "--time_based", "--runtime=1h"], stop: stop)
    #expect(report.entries.allSatisfy { $0.statistics.operations == 0 })
  }

  @Test func snapshotsAreTakenWhileRunning() throws {
    let progress = JobProgress()
    #expect(progress.takeSnapshot() == nil)
    let options = try job("--rw=randread", "--time_based", "--runtime=100ms")
    let device = FakeDevice(byteCount: 1 << 16)
    var placed = try setup(options, capacity: 1 << 16)
    placed.progress = progress
    progress.requestSnapshot()
    var runner = JobRunner(
      setup: placed, channel: FakeChannel(device: device), clock: VirtualClock(time: device.time))
    let outcome = runner.run()
    let snapshot = try #require(progress.takeSnapshot())
    #expect(snapshot.operations > 0)
    #expect(snapshot.operations < outcome.statistics.operations)
    #expect(snapshot.directions.read.runtime > 0)
    #expect(snapshot.directions.read.completionHistogram.total == snapshot.operations)
    #expect(progress.totals(.read).operations == outcome.statistics.operations)
  }

  @Test func exitCodes() async throws {
    func code(_ arguments: String...) async throws -> BenchmarkCommand.ExitCode {
      try await onThread {
        BenchmarkCommand.run(
          ["--eta=never", "--output=/dev/null"] + arguments, stop: StopSignal(), open: TargetOpener.open)
      }
    }
    #expect(try await code("--filename=memory:1m", "--name=a") == .success)
    #expect(try await code("--name=a", "--nonsense") == .usage)
    #expect(try await code("--filename=memory:1m", "--name=a", "--rw=read", "--verify=crc32c") == .failure)
    // Also of a job of which nothing is reported.
    #expect(
      try await code("--filename=memory:1m", "--name=a", "--rw=read", "--verify=crc32c", "--stats=0") == .failure)
    #expect(try await code("--parse-only", "--name=a") == .success)
    #expect(try await code("--filename=memory:1m", "--name=a", "--bs=100") == .usage)
  }

  @Test func aSearchThatDidNotEndIsTold() async throws {
    let report = try await execute([
      "--filename=null:1m", "--name=a", "--rw=randread", "--iodepth=8", "--time_based", "--runtime=10ms",
      "--latency_target=1s", "--latency_window=1s",
    ])
    #expect(report.entries.first?.failure == nil && report.entries.first?.depth == 1)
    #expect(report.notes.contains { $0.hasPrefix("a: ended before its depth for latency_target was found") })
  }

  /// No file, whichever of its keys a transport identifier has.
  @Test(arguments: ["traddr:192.0.2.1", "TRADDR=192.0.2.1 adrfam=IPv4", "nvme+tcp://192.0.2.1"])
  func targetsAreToldFromFiles(_ text: String) throws {
    let failure = #expect(throws: TargetOpener.Failure.self) { _ = try TargetOpener.open(text, PathOptions()) }
    #expect(failure?.description.contains("the subsystem's NQN is missing") == true)
  }

  /// Results that nobody can read are no success.
  @Test(arguments: ["normal", "json", "json+", "terse", "summary"])
  func outputThatCannotBeWritten(format: String) async throws {
    let code = try await onThread {
      BenchmarkCommand.run(
        ["--eta=never", "--output=/dev/full", "--output-format=\(format)", "--filename=null:1m", "--name=a"],
        stop: StopSignal(), open: TargetOpener.open)
    }
    #expect(code == .failure)
  }

  /// What is behind a gap is worth nothing, though it could be written.
  @Test func anOutputThatHasFailedStaysSo() throws {
    signal(SIGPIPE, SIG_IGN)
    let path = "\(NSTemporaryDirectory())nvmeof-bench-test-\(UInt64.random(in: 0 ... .max)).fifo"
    try #require(mkfifo(path, 0o600) == 0)
    defer { unlink(path) }
    let reader = open(path, O_RDONLY | O_NONBLOCK)
    let output = try ReportOutput(try CommandLineReader.read(["--output=\(path)", "--name=a"]))
    let jobs = try plan(["--name=a"])
    try output.begin(jobs, threads: 1, notes: [])
    close(reader)
    let broken = #expect(throws: OutputError.self) { try output.begin(jobs, threads: 1, notes: []) }
    #expect(broken?.hasReaderGone == true)
    let another = open(path, O_RDONLY | O_NONBLOCK)
    defer { close(another) }
    let late = #expect(throws: OutputError.self) { try output.begin(jobs, threads: 1, notes: []) }
    #expect(late == broken)
  }

  @Test func notesThatComeLateAreTold() throws {
    let path = "\(NSTemporaryDirectory())nvmeof-bench-test-\(UInt64.random(in: 0 ... .max)).txt"
    defer { unlink(path) }
    let output = try ReportOutput(try CommandLineReader.read(["--output=\(path)", "--name=a"]))
    try output.begin(try plan(["--name=a"]), threads: 1, notes: ["early"])
    try output.report(RunReport(entries: [], notes: ["early", "late"], timestampMilliseconds: 0))
    let lines = try FileText.load(path).split(separator: "\n").filter { $0.hasPrefix("note: ") }
    #expect(lines == ["note: early", "note: late"])
  }

  @Test func logsTellOfEveryIO() async throws {
    let prefix = "\(NSTemporaryDirectory())nvmeof-bench-log-\(UInt64.random(in: 0 ... .max))"
    let kinds = ["bw", "iops", "slat", "clat", "lat", "clat_hist"]
    let names = kinds.flatMap { kind in (1...2).map { "\(prefix)_\(kind).\($0).log" } }
    defer { for path in names + ["\(prefix).json"] { unlink(path) } }
    let code = try await onThread {
      BenchmarkCommand.run(
        [
          "--eta=never", "--output=\(prefix).json", "--output-format=json", "--filename=memory:1m", "--rw=randrw",
          "--write_bw_log=\(prefix)", "--write_iops_log=\(prefix)", "--write_lat_log=\(prefix)", "--log_offset=1",
          "--write_hist_log=\(prefix)", "--log_hist_msec=60000", "--log_hist_coarseness=2", "--iodepth=4", "--name=a",
          "--name=b", "--bs=8k",
        ], stop: StopSignal(), open: TargetOpener.open)
    }
    #expect(code == .success)
    func rows(_ kind: String, _ number: Int) throws -> [[UInt64]] {
      try FileText.load("\(prefix)_\(kind).\(number).log").split(separator: "\n").map { line in
        try line.split(separator: ",").map { try #require(UInt64($0.trimmedSpaces)) }
      }
    }
    // By the report, which has been measured apart from the logs.
    let text = Data(try FileText.load("\(prefix).json").utf8)
    let root = try #require(try JSONSerialization.jsonObject(with: text) as? [String: Any])
    let jobs = try #require(root["jobs"] as? [[String: Any]])
    for (number, byteCount) in [(1, UInt64(4096)), (2, 8192)] {
      let totals = try rows("lat", number)
      #expect(totals.allSatisfy { $0.count == 6 && $0[3] == byteCount && $0[4] % byteCount == 0 && $0[5] == 0 })
      #expect(Set(totals.map { $0[4] }).count == Int((1 << 20) / byteCount))
      #expect(try rows("iops", number).map { $0[1] } == [UInt64](repeating: 1, count: totals.count))
      let parts = zip(try rows("slat", number), try rows("clat", number)).map { $0[1] + $1[1] }
      #expect(parts == totals.map { $0[1] })
      for (bandwidth, total) in zip(try rows("bw", number), totals) {
        #expect(bandwidth[1] == UInt64((Double(byteCount) / 1024 * 1e9 / Double(max(1, total[1]))).rounded()))
      }
      for (index, direction) in ["read", "write"].enumerated() {
        let latencies = totals.filter { $0[2] == UInt64(index) }.map { $0[1] }
        let measured = try #require(jobs[number - 1][direction] as? [String: Any])
        let reported = try #require(measured["lat_ns"] as? [String: Any])
        #expect(reported["N"] as? UInt64 == UInt64(latencies.count))
        // Of the one window that there was.
        let histograms = try rows("clat_hist", number).filter { $0[1] == UInt64(index) }
        #expect(histograms.count == 1 && histograms[0].count == 3 + LatencyHistogram.bucketCount / 4)
        #expect(histograms[0][2] == byteCount)
        #expect(histograms[0][3...].reduce(0, +) == UInt64(latencies.count))
        #expect(reported["min"] as? UInt64 == latencies.min())
        #expect(reported["max"] as? UInt64 == latencies.max())
      }
    }
  }

  @Test func logsThatCannotBeWrittenAreKnownBefore() async throws {
    let code = try await onThread {
      BenchmarkCommand.run(
        ["--eta=never", "--output=/dev/null", "--filename=memory:1m", "--name=a", "--write_lat_log=/nowhere/at/all"],
        stop: StopSignal(), open: TargetOpener.open)
    }
    #expect(code == .failure)
  }

  /// fio's exact form: nothing of ours may stand before or after JSON on its stream.
  @Test func jsonStandsAlone() async throws {
    let path = "\(NSTemporaryDirectory())nvmeof-bench-test-\(UInt64.random(in: 0 ... .max)).json"
    let code = try await onThread {
      BenchmarkCommand.run(
        [
          "--eta=never", "--output=\(path)", "--output-format=json+", "--filename=null:1m", "--name=a", "--rw=randread",
          "--direct=1",
        ], stop: StopSignal(), open: TargetOpener.open)
    }
    defer { unlink(path) }
    #expect(code == .success)
    let text = try FileText.load(path)
    #expect(text.hasPrefix("{\n  \"fio version\" : \"fio-3.33"))
    #expect(text.hasSuffix("}\n"))
  }
}
