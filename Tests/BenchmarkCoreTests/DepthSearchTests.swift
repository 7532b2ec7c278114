import Testing

@testable import BenchmarkCore

/// `latency_target` on a device with so many places: more I/Os at once than those wait for one another.
@Suite struct DepthSearchTests {
  /// With n in flight an I/O takes n times 10 µs.
  private static func device() -> FakeDevice {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { [unowned device] _, _ in UInt64(device.inFlight.count + 1) * 10_000 }
    return device
  }

  private static func run(_ more: String..., on device: FakeDevice = Self.device()) throws -> JobOutcome {
    let options = try plan(
      ["--name=a", "--rw=randread", "--time_based", "--runtime=10", "--latency_window=10ms"] + more
    ).jobs[0]
    return try BenchmarkCoreTests.run(options, on: device)
  }

  @Test(arguments: [(105, 10), (15, 1), (25, 2), (315, 31), (1000, 32)])
  func theGreatestDepthIsFound(microseconds: Int, depth: Int) throws {
    let device = Self.device()
    let outcome = try Self.run("--iodepth=32", "--latency_target=\(microseconds)", on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.searchedDepth == depth)
    // It ends long before its runtime, and only what was measured at that depth is told.
    let read = outcome.statistics.directions.read
    #expect(read.runtime < 20_000_000)
    #expect(read.total.maximum <= UInt64(microseconds) * 1000)
    #expect(device.issued.count > Int(read.operations))
  }

  @Test func notEvenOneAtATime() throws {
    let outcome = try Self.run("--iodepth=8", "--latency_target=5")
    #expect(outcome.failure?.kind == .timeout && outcome.failure?.code == 110)
    #expect(outcome.failure?.message.contains("latency_target=5 µs") == true)
    #expect(outcome.statistics.searchedDepth == 1)
  }

  /// Where some may take longer, a window that does not do is tried again; but one has to do in the end.
  @Test(arguments: [[], ["--latency_run=1"]]) func notEvenAShareOneAtATime(more: [String]) throws {
    let options = try plan(
      [
        "--name=a", "--rw=randread", "--iodepth=8", "--time_based", "--runtime=100ms", "--latency_target=5",
        "--latency_window=10ms", "--latency_percentile=90",
      ] + more
    ).jobs[0]
    let outcome = try BenchmarkCoreTests.run(options, on: Self.device())
    #expect(outcome.failure?.kind == .timeout)
    #expect(outcome.failure?.message.contains("latency_target=5 µs") == true)
    #expect(outcome.statistics.searchedDepth == 1)
  }

  /// Depths 1 and 2 have had their windows when the runtime ends, and 4 has not.
  @Test(arguments: ["100", "90"]) func theRuntimeEndsWithinTheSearch(percentile: String) throws {
    let outcome = try Self.run(
      "--iodepth=32", "--latency_target=105", "--latency_percentile=\(percentile)", "--runtime=25ms")
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.searchedDepth == 2)
  }

  @Test func aShareMayTakeLonger() throws {
    let device = Self.device()
    device.service = { [unowned device] number, _ in
      UInt64(device.inFlight.count + 1) * (number % 50 == 0 ? 100_000 : 10_000)
    }
    #expect(try Self.run("--iodepth=8", "--latency_target=55", on: device).failure != nil)
    let most = Self.device()
    most.service = { [unowned most] number, _ in
      UInt64(most.inFlight.count + 1) * (number % 50 == 0 ? 100_000 : 10_000)
    }
    let outcome = try Self.run("--iodepth=8", "--latency_target=55", "--latency_percentile=95", on: most)
    #expect(outcome.failure == nil && outcome.statistics.searchedDepth == 5)
  }

  /// The device becomes ten times slower half-way.
  @Test func latencyRunFollowsTheDevice() throws {
    let device = Self.device()
    let change = device.time.now + 500_000_000
    device.service = { [unowned device] _, _ in
      UInt64(device.inFlight.count + 1) * (device.time.now < change ? 10_000 : 100_000)
    }
    let outcome = try Self.run(
      "--iodepth=32", "--latency_target=205", "--latency_run=1", "--latency_percentile=90", "--runtime=1", on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.searchedDepth.map { (1...3).contains($0) } == true)
    // Nothing is left out of what is told.
    #expect(Int(outcome.statistics.operations) == device.issued.count)
    #expect(device.mostInFlight >= 20)
  }

  @Test func whatIsReadBackHasTheWholeDepth() throws {
    let device = Self.device()
    let options = try job(
      "--rw=randwrite", "--verify=crc32c", "--iodepth=16", "--latency_target=25", "--latency_window=1ms")
    let outcome = try BenchmarkCoreTests.run(options, on: device)
    #expect(outcome.failure == nil && outcome.statistics.verifiedBlocks > 0)
    #expect(device.mostInFlight == 16)
  }

  @Test func reportsSayWhatFioSays() throws {
    let options = try job(
      "--rw=randread", "--iodepth=32", "--latency_target=10ms", "--latency_window=200ms", "--latency_percentile=99.5")
    var outcome = JobOutcome()
    outcome.statistics.searchedDepth = 7
    let entry = ReportEntry("a", options, outcome)
    let report = RunReport(entries: [entry], timestampMilliseconds: 0)
    #expect(
      NormalReport.render(report).contains(
        "     latency   : target=10000000, window=200000, percentile=99.50%, depth=7\n"))
    let text = JSONReport.render(report, bins: false)
    for member in [
      "\"latency_depth\" : 7,", "\"latency_target\" : 10000000,", "\"latency_percentile\" : 99.500000,",
      "\"latency_window\" : 200000",
    ] {
      #expect(text.contains(member), "\(member)")
    }
  }
}
