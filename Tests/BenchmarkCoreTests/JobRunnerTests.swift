import Testing

@testable import BenchmarkCore

@Suite struct JobRunnerTests {
  @Test func readsEveryBlockOnceAtDepth() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let outcome = try run(try job("--rw=randread", "--bs=4k", "--iodepth=8"), on: device)
    #expect(outcome.failure == nil)
    let read = outcome.statistics.directions.read
    #expect(read.operations == 256 && read.byteCount == 1 << 20)
    #expect(device.mostInFlight == 8)
    #expect(Set(device.issued.map(\.offset)).count == 256)
    #expect(read.completion.count == 256 && read.total.count == 256 && read.submission.count == 256)
    #expect(read.completionHistogram.total == 256)
    #expect(outcome.statistics.depths.total == 256)
    #expect(outcome.statistics.latencies.counts.reduce(0, +) == 256)
    #expect(read.runtime > 0)
    #expect(outcome.statistics.directions.write.operations == 0)
    #expect(outcome.statistics.directions.write.runtime == 0)
  }

  @Test func latenciesAreTheDevices() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { number, _ in number == 100 ? 5_000_000 : 50_000 }
    let read = try run(try job("--rw=read", "--bs=4k"), on: device).statistics.directions.read
    #expect((50_000...50_200).contains(read.total.minimum))
    #expect((5_000_000...5_000_200).contains(read.total.maximum))
    // Submission and completion make up the whole.
    #expect(abs(read.submission.mean + read.completion.mean - read.total.mean) < 1)
    #expect((49_000...51_000).contains(read.completionHistogram.percentiles([99])[0].nanoseconds))
  }

  @Test func writesAndTrims() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let written = try run(try job("--rw=write", "--bs=4k", "--iodepth=4", "--sync=1"), on: device)
    #expect(written.statistics.directions.write.operations == 16)
    #expect(device.issued.allSatisfy { $0.operation == .write && $0.forceUnitAccess })
    #expect(!device.storage[..<4096].allSatisfy { $0 == 0 })
    let trimmed = try run(try job("--rw=randtrim", "--bs=4k"), on: device)
    #expect(trimmed.statistics.directions.trim.operations == 16)
    #expect(device.storage.allSatisfy { $0 == 0 })
  }

  @Test func trimsThenWrites() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let statistics = try run(try job("--rw=trimwrite", "--bs=4k", "--rate_iops=,2000,2000"), on: device).statistics
    #expect(statistics.directions.trim.operations == 16 && statistics.directions.write.operations == 16)
    #expect(statistics.directions.read.operations == 0)
    let expected = (0..<16).flatMap { [(ChannelOperation.trim, UInt64($0) * 4096), (.write, UInt64($0) * 4096)] }
    #expect(device.issued.map(\.operation) == expected.map(\.0))
    #expect(device.issued.map(\.offset) == expected.map(\.1))
    // Each direction by its own rate.
    #expect(device.issued.last.map { $0.at - device.issued[0].at >= 7_500_000 } == true)
  }

  @Test func contents() throws {
    let device = FakeDevice(byteCount: 8192)
    device.storage = [UInt8](repeating: 0xee, count: 8192)
    _ = try run(try job("--rw=write", "--zero_buffers"), on: device)
    #expect(device.storage.allSatisfy { $0 == 0 })
    _ = try run(try job("--rw=write", "--buffer_pattern=0xabcd"), on: device)
    #expect(device.storage[..<4] == [0xab, 0xcd, 0xab, 0xcd])
    _ = try run(try job("--rw=write", "--refill_buffers"), on: device)
    #expect(device.storage[..<4096] != device.storage[4096...])
    // What a write finds in its buffer after a read is filled in anew, with what it is to hold.
    let contents: [(String, [UInt8])] = [("--zero_buffers", [0, 0]), ("--buffer_pattern=0xabcd", [0xab, 0xcd])]
    for (content, expected) in contents {
      device.storage = [UInt8](repeating: 0xee, count: 8192)
      _ = try run(try job("--rw=write", content, "--refill_buffers"), on: device)
      #expect(Set(stride(from: 0, to: 8192, by: 2).map { Array(device.storage[$0..<$0 + 2]) }) == [expected])
    }
  }

  @Test func timeEndsAJob() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let outcome = try run(
      try job("--rw=randread", "--time_based", "--runtime=10ms", "--iodepth=2"), on: device)
    let read = outcome.statistics.directions.read
    // Two every 10 µs for 10 ms.
    #expect((1900...2100).contains(read.operations))
    #expect((10_000_000...10_100_000).contains(read.runtime))
  }

  @Test func runtimeCapsAnAmount() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    #expect(try run(try job("--rw=read", "--runtime=100us"), on: device).statistics.operations < 12)
  }

  @Test func rampIsNotMeasured() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    // The first 50 ms are slow.
    let begin = device.time.now
    device.service = { _, _ in device.time.now - begin < 50_000_000 ? 1_000_000 : 10_000 }
    let outcome = try run(
      try job("--rw=randread", "--time_based", "--ramp_time=60ms", "--runtime=20ms"), on: device)
    let read = outcome.statistics.directions.read
    #expect(read.total.maximum < 20_000)
    #expect((1800...2100).contains(read.operations))
    #expect(read.completionHistogram.total == read.operations)
  }

  @Test func samplesOfBandwidth() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let outcome = try run(
      try job("--rw=read", "--time_based", "--runtime=1050ms", "--bwavgtime=100", "--iopsavgtime=200"), on: device)
    let read = outcome.statistics.directions.read
    #expect((9...11).contains(read.bandwidth.count))
    #expect((4...6).contains(read.iops.count))
    // 100,000 I/Os a second of 4 KiB, less what reading the clock takes.
    #expect((95_000...100_100).contains(read.iops.mean))
    #expect((380_000...400_400).contains(read.bandwidth.mean))
  }

  @Test func busyIsTriedAgain() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.busyTimes = 2
    let outcome = try run(try job("--rw=randread", "--iodepth=4"), on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.operations == 16)
    #expect(Set(device.issued.map(\.offset)).count == 16)
  }

  @Test func flushes() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let outcome = try run(try job("--rw=write", "--fsync=4", "--end_fsync=1"), on: device)
    let flushes = device.issued.indices.filter { device.issued[$0].operation == .flush }
    // After every fourth write, and once at the end.
    #expect(flushes == [4, 9, 14, 19, 20])
    #expect(outcome.statistics.sync.count == 5)
    #expect(outcome.statistics.directions.write.operations == 16)
  }

  /// As with fio, what is written has been written when it has been flushed.
  @Test func theFlushAtTheEndIsInTheTime() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.service = { _, command in command.operation == .flush ? 500_000_000 : 10_000 }
    let write = try run(try job("--rw=write", "--end_fsync=1"), on: device).statistics.directions.write
    #expect(write.operations == 16)
    #expect((500_000_000...501_000_000).contains(write.runtime))
  }

  @Test func gtodReduceTakesNothingBack() throws {
    let kept = try job("--disable_clat=1", "--gtod_reduce=0")
    #expect(!kept.measuresCompletion && kept.measuresTotal && kept.measuresSubmission && kept.measuresBandwidth)
    let reduced = try job("--gtod_reduce=1")
    #expect(!reduced.measuresCompletion && !reduced.measuresTotal)
    #expect(!reduced.measuresSubmission && !reduced.measuresBandwidth)
  }

  /// A report that was too late for its interval is not taken for the next one's.
  @Test func aSnapshotIsOfItsRequest() {
    let progress = JobProgress()
    progress.requestSnapshot()
    var late = JobStatistics()
    late.verifiedBlocks = 1
    progress.deliver(late)
    progress.requestSnapshot()
    #expect(progress.takeSnapshot() == nil)
    #expect(progress.isSnapshotWanted)
  }

  /// Pauses begin when so many I/Os have been issued and all of them are back.
  @Test func thinkTimeAtIssue() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.service = { number, _ in UInt64(number % 4 + 1) * 1_000_000 }
    _ = try run(
      try job("--rw=read", "--iodepth=8", "--thinktime=1ms", "--thinktime_blocks=4", "--thinktime_blocks_type=issue"),
      on: device)
    #expect(device.mostInFlight == 4)
    let starts = device.issued.map(\.at)
    for round in 1..<4 { #expect(starts[4 * round] - starts[4 * round - 1] >= 5_000_000) }
    #expect(starts[3] - starts[0] < 100_000)
  }

  /// Pauses begin when so many have ended, and no other is in flight any more.
  @Test func thinkTimeAfterCompletions() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    // One ends after the other.
    device.service = { number, _ in UInt64(number % 8 + 1) * 1_000_000 }
    _ = try run(try job("--rw=read", "--iodepth=8", "--thinktime=20ms", "--thinktime_blocks=2"), on: device)
    #expect(device.mostInFlight == 8)
    let starts = device.issued.map(\.at)
    // The first end makes room for a ninth; at the second one a pause is due, which begins with the last one at 8 ms.
    #expect(starts[8] - starts[0] < 1_100_000)
    #expect(starts[9] - starts[0] >= 28_000_000)
    // What has ended in between counts for the next pause, which is therefore due at once.
    #expect(starts[10] - starts[9] >= 22_000_000)
  }

  @Test func thinkTimeMaySpin() throws {
    let device = FakeDevice(byteCount: 1 << 13)
    let before = device.time.now
    _ = try run(try job("--rw=read", "--thinktime=20us", "--thinktime_spin=10us"), on: device)
    #expect(device.time.now - before >= 20_000)
  }

  @Test func firstErrorEndsTheJob() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.fails = { number, _ in number == 10 }
    let outcome = try run(try job("--rw=read", "--iodepth=4"), on: device)
    let failure = try #require(outcome.failure)
    #expect(failure.kind == .io)
    #expect(failure.message.contains("planned failure") && failure.message.contains("offset 40960"))
    #expect(outcome.failureCount == 1)
    #expect(device.issued.count < 20)
    #expect(device.inFlight.isEmpty)
    #expect(outcome.statistics.directions.read.failures == 1)
  }

  @Test func toleratedErrorsAreCounted() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.fails = { number, _ in number % 10 == 0 }
    let outcome = try run(try job("--rw=read", "--iodepth=4", "--continue_on_error=io"), on: device)
    #expect(outcome.failureCount == 26)
    #expect(outcome.statistics.directions.read.operations == 230)
    #expect(outcome.failure != nil)
    // Tolerating reads does not tolerate writes.
    let writes = FakeDevice(byteCount: 1 << 20)
    writes.fails = { number, _ in number == 0 }
    #expect(try run(try job("--rw=write", "--continue_on_error=read"), on: writes).statistics.operations == 0)
  }

  /// As with fio: latencies are those of I/Os that were carried out. The longest of all is told beside them, of paths.
  @Test func failuresHaveNoLatency() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { number, _ in number == 7 ? 5_000_000 : 10_000 }
    device.fails = { number, _ in number == 7 }
    let statistics = try run(try job("--rw=read", "--continue_on_error=io", "--max_latency=1ms"), on: device).statistics
    #expect(statistics.operations == 255 && statistics.directions.read.failures == 1)
    #expect(statistics.directions.read.total.count == 255 && statistics.directions.read.completion.count == 255)
    #expect(statistics.directions.read.total.maximum < 5_000_000)
    #expect(statistics.longestOperation >= 5_000_000)
  }

  @Test func refusalsAreErrors() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.refuses = { number, _ in number == 3 }
    let outcome = try run(try job("--rw=read", "--continue_on_error=all"), on: device)
    #expect(outcome.failureCount == 1)
    #expect(outcome.statistics.operations == 15)
  }

  /// A device that refuses everything neither keeps a job from its end nor from what it is told.
  @Test func whatIsRefusedTakesTime() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    // So that a job that knows no end ends, too.
    device.refuses = { number, _ in number < 1_000_000 }
    let options = try job(
      "--rw=randread", "--continue_on_error=all", "--time_based", "--runtime=10ms", "--iodepth=4")
    let outcome = try run(options, on: device)
    #expect(outcome.statistics.operations == 0)
    #expect(outcome.failureCount > 0 && device.inFlight.isEmpty)
    // Each refusal gives the device the chance to go on.
    #expect(device.pollsWithoutWaiting >= outcome.failureCount)
  }

  @Test func slowIOFailsWithMaxLatency() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { number, _ in number == 5 ? 2_000_000 : 10_000 }
    let outcome = try run(try job("--rw=read", "--max_latency=1ms"), on: device)
    #expect(outcome.failure?.kind == .timeout)
    #expect(outcome.statistics.operations == 6)
  }

  @Test func lostIODoesNotHangTheJob() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.loses = { $0 == 3 }
    let outcome = try run(try job("--rw=read", "--iodepth=2", "--time_based", "--runtime=1ms"), on: device)
    #expect(outcome.failure?.kind == .timeout)
    #expect(device.inFlight.count == 1)
  }

  @Test func aStopEndsTheJob() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let stop = StopSignal()
    device.damage = { number, _ in if number == 100 { stop.stop() } }
    let outcome = try run(
      try job("--rw=randread", "--time_based", "--runtime=1h", "--iodepth=4"), on: device, stop: stop)
    #expect(outcome.failure == nil)
    #expect((100...110).contains(outcome.statistics.operations))
  }

  @Test func exitallOnErrorStopsTheOthers() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.fails = { number, _ in number == 2 }
    let stop = StopSignal()
    _ = try run(try job("--rw=read", "--exitall_on_error"), on: device, stop: stop)
    #expect(stop.isStopped)
  }

  @Test func disabledMeasurements() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let read = try run(
      try job("--rw=read", "--disable_clat=1", "--disable_slat=1", "--disable_lat=1"), on: device
    ).statistics.directions.read
    #expect(read.operations == 16)
    #expect(read.completion.count == 0 && read.submission.count == 0 && read.total.count == 0)
  }

  @Test func anEndInTheRampIsTold() throws {
    func ends(_ arguments: String...) throws -> Bool {
      let options = try #require(try plan(["--name=a", "--rw=read"] + arguments).jobs.first)
      return try run(options, on: FakeDevice(byteCount: 1 << 16)).endedInRamp
    }
    #expect(try ends("--ramp_time=1"))
    #expect(try !ends("--ramp_time=1", "--time_based", "--runtime=100ms"))
    #expect(try !ends())
  }

  @Test func startDelay() throws {
    let device = FakeDevice(byteCount: 4096)
    let before = device.time.now
    _ = try run(try job("--rw=read", "--startdelay=3"), on: device)
    #expect(device.issued[0].at - before >= 3_000_000_000)
  }
}
