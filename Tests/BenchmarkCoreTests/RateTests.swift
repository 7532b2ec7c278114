import Testing

@testable import BenchmarkCore

@Suite struct RateTests {
  @Test func iosStartOnSchedule() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let before = device.time.now
    let outcome = try run(try job("--rw=read", "--rate_iops=1000", "--number_ios=100", "--iodepth=4"), on: device)
    #expect(outcome.statistics.operations == 100)
    for (index, issued) in device.issued.enumerated() {
      let planned = before + UInt64(index) * 1_000_000
      #expect(issued.at >= planned)
      #expect(issued.at < planned + 30_000, "I/O \(index) started \(issued.at - planned) ns late")
    }
    // Nothing stalls, so latency is the device's.
    #expect(outcome.statistics.directions.read.total.maximum < 45_000)
  }

  /// How many times a job asks its device for completions tells whether it sleeps or spins before a planned start.
  @Test(arguments: [(WaitStyle.event, UInt64(0)), (.adaptive, 20_000), (.busy, 100_000)])
  func spinsBeforeAPlannedStart(style: WaitStyle, nanoseconds: UInt64) throws {
    #expect(style.spinBeforeStartNanoseconds == nanoseconds)
    let device = FakeDevice(byteCount: 1 << 20)
    _ = try run(
      try job("--rw=read", "--rate_iops=1000", "--number_ios=100", "--wait_mode=\(style.rawValue)"), on: device)
    // The fake's time goes on by 100 ns in a poll that does not wait.
    let spun = Double(device.pollsWithoutWaiting) / 99 * 100
    #expect(spun <= Double(nanoseconds) * 1.02)
    #expect(spun >= Double(nanoseconds) * 0.9)
  }

  @Test func latencyCountsFromThePlannedStart() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    // Depth 1, an I/O each millisecond; the tenth takes 100 ms, so about a hundred start late.
    device.service = { number, _ in number == 10 ? 100_000_000 : 10_000 }
    let read = try run(
      try job("--rw=randread", "--rate_iops=1000", "--number_ios=200"), on: device
    ).statistics.directions.read
    let percentiles = read.completionHistogram.percentiles([50, 75])
    // A device that answers in 10 µs but stalled for half of the test: the median waited some of it.
    #expect(read.total.maximum >= 100_000_000)
    #expect(percentiles[1].nanoseconds > 20_000_000)
    let late = read.completionHistogram.bins.filter { $0.nanoseconds > 1_000_000 }.reduce(0) { $0 + $1.count }
    #expect((95...105).contains(late))
    #expect(abs(read.submission.mean + read.completion.mean - read.total.mean) < 1)
  }

  @Test func withoutRateTheStallShowsOnce() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { number, _ in number == 10 ? 100_000_000 : 10_000 }
    let read = try run(try job("--rw=randread", "--number_ios=200"), on: device).statistics.directions.read
    let late = read.completionHistogram.bins.filter { $0.nanoseconds > 1_000_000 }.reduce(0) { $0 + $1.count }
    #expect(late == 1)
  }

  @Test func aRateOfOneDirectionDoesNotHoldUpTheOther() throws {
    for (rate, rated) in [("1000", DataDirection.read), (",1000", .write)] {
      let device = FakeDevice(byteCount: 1 << 20)
      let statistics = try run(
        try job(
          "--rw=randrw", "--rate_iops=\(rate)\(rated == .read ? "," : "")", "--time_based", "--runtime=100ms",
          "--iodepth=2"), on: device
      ).statistics
      let other = rated == .read ? DataDirection.write : .read
      #expect((98...101).contains(statistics.directions[rated].operations))
      #expect(statistics.directions[other].operations > 5000)
    }
  }

  /// Making the data takes a reading of the clock: as much in a job whose other direction is rated as in one without rates.
  @Test func makingDataIsNoLatencyWhereNothingIsPlanned() throws {
    func shortest(_ more: String...) throws -> UInt64 {
      let device = FakeDevice(byteCount: 1 << 20)
      device.time.step = 1000
      let options = try plan(["--name=a", "--rw=randrw", "--refill_buffers", "--number_ios=500"] + more).jobs[0]
      return try run(options, on: device).statistics.directions.write.total.minimum
    }
    #expect(try shortest("--rate_iops=1000,") == shortest())
  }

  @Test func bytesASecond() throws {
    let device = FakeDevice(byteCount: 1 << 24)
    let outcome = try run(
      try job("--rw=read", "--bs=64k", "--rate=16m", "--time_based", "--runtime=1"), on: device)
    let bytes = outcome.statistics.directions.read.byteCount
    #expect((15 << 20...17 << 20).contains(Int(bytes)))
  }

  @Test func eachDirectionHasItsRate() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let outcome = try run(
      try job("--rw=randrw", "--rate_iops=300,100", "--time_based", "--runtime=1", "--iodepth=4"), on: device)
    #expect((295...305).contains(outcome.statistics.directions.read.operations))
    #expect((95...105).contains(outcome.statistics.directions.write.operations))
  }

  /// The schedule only holds back what the mix has chosen: nothing comes of a direction that has no share, and where
  /// neither direction is ahead of its schedule the shares are the mix's.
  @Test func theMixChoosesTheDirection() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let reads = try run(
      try job("--rw=randrw", "--rwmixread=100", "--rate_iops=1000,", "--time_based", "--runtime=100ms"), on: device
    ).statistics.directions
    #expect(reads.write.operations == 0)
    #expect((98...101).contains(reads.read.operations))
    let writes = try run(
      try job("--rw=randrw", "--rwmixread=0", "--rate_iops=,1000", "--time_based", "--runtime=100ms"), on: device
    ).statistics.directions
    #expect(writes.read.operations == 0)
    #expect((98...101).contains(writes.write.operations))
    let both = try run(
      try job("--rw=randrw", "--rwmixread=70", "--rate_iops=10000000", "--time_based", "--runtime=100ms"), on: device
    ).statistics
    let share = Double(both.directions.read.operations) / Double(both.operations)
    #expect((0.67...0.73).contains(share), "\(share)")
  }

  @Test func poissonHasTheRateButNoRhythm() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    _ = try run(
      try job(
        "--rw=randread", "--rate_iops=1000", "--rate_process=poisson", "--time_based", "--runtime=4",
        "--iodepth=16"),
      on: device)
    #expect((3750...4250).contains(device.issued.count))
    let gaps = zip(device.issued.dropFirst(), device.issued).map { Double($0.at - $1.at) }
    let mean = gaps.reduce(0, +) / Double(gaps.count)
    let deviation = (gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)).squareRoot()
    // Exponential: deviation and mean are alike. The spin before a start makes the shortest gaps uneven.
    #expect((0.9...1.1).contains(deviation / mean))
  }

  @Test func scheduleIsExactInTheLongRun() throws {
    let options = try job("--rate_iops=3", "--rw=read")
    var pacer = try #require(RatePacer(options, .read, seed: 0))
    pacer.start(at: 5)
    for _ in 0..<3_000_000 { pacer.plan(byteCount: 4096) }
    #expect(pacer.nextStart == 5 + 1_000_000 * 1_000_000_000)
  }

  @Test func thinkTimeMayBeLeftOutOfTheRate() throws {
    func count(_ ignore: Int) throws -> Int {
      let device = FakeDevice(byteCount: 1 << 20)
      _ = try run(
        try job(
          "--rw=read", "--rate_iops=1000", "--thinktime=100ms", "--thinktime_blocks=100",
          "--rate_ignore_thinktime=\(ignore)", "--time_based", "--runtime=1"),
        on: device)
      return device.issued.count
    }
    // Catching up, the job reaches the rate; without, it has half of the time for it.
    let catchingUp = try count(0)
    let ignoring = try count(1)
    #expect(catchingUp > 850)
    #expect((480...620).contains(ignoring))
  }

  /// What was due when the job ended is told: it has no latency that would show the wait.
  @Test(arguments: ["--rate_iops=1000", "--rate=4000k", "--rate_iops=1000 --rate_process=poisson"])
  func whatWasDueAtTheEndIsCounted(rate: String) throws {
    func overdue(_ nanoseconds: UInt64, _ more: String...) throws -> UInt64 {
      let device = FakeDevice(byteCount: 1 << 20)
      device.service = { _, _ in nanoseconds }
      let options = try plan(["--name=a", "--rw=randread"] + rate.split(separator: " ").map(String.init) + more).jobs[0]
      return try run(options, on: device).overdueCount
    }
    // A hundred of a thousand.
    let slow = try overdue(10_000_000, "--time_based", "--runtime=1")
    #expect((rate.contains("poisson") ? 800...1000 : 895...905).contains(slow), "\(slow)")
    #expect(try overdue(10_000, "--time_based", "--runtime=1") <= 2)
    // All that there was to do has been done.
    #expect(try overdue(10_000_000, "--number_ios=100") == 0)
  }

  @Test(arguments: ["--rw=randread", "--rw=randrw"]) func ratesBeyondAllNumbersAreOverdue(pattern: String) throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { _, _ in 1_000_000 }
    let options = try job(pattern, "--rate_iops=18446744073709551615", "--time_based", "--runtime=3")
    #expect(try run(options, on: device).overdueCount > 1 << 62)
  }

  /// An I/O waits for its job's own pauses, which are none of the device's.
  @Test func pausesAreNoLatency() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let read = try run(
      try job(
        "--rw=read", "--rate_iops=1000", "--thinktime=100ms", "--thinktime_blocks=100", "--time_based", "--runtime=1"),
      on: device
    ).statistics.directions.read
    // The device takes 10 µs; what catches up after a pause is submitted one after the other.
    #expect(read.total.count > 850)
    #expect(read.total.maximum < 2_000_000)
  }

  /// What a job falls behind in its ramp is not caught up when it is measured: the schedule begins anew.
  @Test(arguments: ["linear", "poisson"]) func theScheduleBeginsAnewAfterTheRamp(process: String) throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let begin = device.time.now
    device.service = { [unowned device] _, _ in device.time.now - begin < 95_000_000 ? 10_000_000 : 10_000 }
    let read = try run(
      try job(
        "--rw=randread", "--rate_iops=1000", "--rate_process=\(process)", "--time_based", "--ramp_time=100ms",
        "--runtime=1"),
      on: device
    ).statistics.directions.read
    #expect((process == "linear" ? 995...1005 : 900...1100).contains(read.operations))
    #expect(read.total.maximum < 1_000_000)
  }
}
