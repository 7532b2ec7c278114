import Testing

@testable import BenchmarkCore

@Suite struct LogTests {
  @Test func windowsShowAStall() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    // An I/O each millisecond; one takes 350 ms, and those behind it wait.
    device.service = { number, _ in number == 300 ? 350_000_000 : 10_000 }
    let outcome = try run(
      try job(
        "--rw=read", "--rate_iops=1000", "--time_based", "--runtime=1", "--write_bw_log=x", "--write_lat_log=x",
        "--log_avg_msec=100", "--log_max_value=1"), on: device)
    let windows = try #require(outcome.log).windows
    #expect(windows.reduce(0) { $0 + $1.operations } == outcome.statistics.operations)
    #expect(windows.allSatisfy { $0.direction == .read })
    // Nothing ended in these; the next one has what had waited.
    #expect(windows.contains { $0.operations == 0 && $0.kibibytesPerSecond == 0 && $0.operationsPerSecond == 0 })
    #expect(windows.map(\.total).max() == outcome.statistics.directions.read.total.maximum)
    let quiet = try #require(windows.first)
    #expect((98...111).contains(quiet.operations))
    #expect((950...1050).contains(quiet.operationsPerSecond))
    #expect((quiet.operationsPerSecond * 4 - 4...quiet.operationsPerSecond * 4 + 4).contains(quiet.kibibytesPerSecond))
    #expect((95...115).contains(quiet.milliseconds))
  }

  @Test func theRampIsNotLogged() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    let outcome = try run(
      try job(
        "--rw=randwrite", "--rate_iops=1000", "--time_based", "--ramp_time=200ms", "--runtime=100ms",
        "--write_iops_log=x"), on: device)
    var entries: [IOLog.Entry] = []
    try #require(outcome.log).forEachEntry { entries.append($0) }
    #expect(entries.count == Int(outcome.statistics.operations))
    // As with fio, times count from the ramp's end.
    #expect(entries.allSatisfy { $0.milliseconds <= 100 && $0.direction == .write && $0.byteCount == 4096 })
  }

  /// More I/Os than one piece of memory has room for.
  @Test func manyEntries() throws {
    let log = IOLog(LogOptions(), pattern: .read, byteLimit: 1 << 24)
    log.begin(at: 0)
    for number in 0..<400_000 {
      if number % 10_000 == 0 { log.periodic(UInt64(number)) }
      log.record(.read, offset: UInt64(number), byteCount: 512, submission: 1, total: 3, at: UInt64(number) * 1000)
    }
    var next: UInt64 = 0
    log.forEachEntry { entry in
      #expect(entry.offset == next && entry.milliseconds == UInt32(next / 1000))
      next += 1
    }
    #expect(next + log.droppedCount == 400_000)
    // 16 MiB are three pieces.
    #expect((300_000...393_216).contains(next))
  }

  @Test func histogramsOfWindows() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    // Reads take 10 µs, and from the middle on 100 µs; writes 50 µs.
    let change = device.time.now + 200_000_000
    device.service = { [unowned device] _, command in
      command.operation == .write ? 50_000 : device.time.now < change ? 10_000 : 100_000
    }
    let outcome = try run(
      try job(
        "--rw=randrw", "--rate_iops=1000,500", "--time_based", "--runtime=390ms", "--iodepth=4", "--write_hist_log=x",
        "--log_hist_msec=100"), on: device)
    #expect(outcome.log == nil)
    let windows = try #require(outcome.histogramLog).windows
    let reads = windows.filter { $0.direction == .read }
    #expect(reads.count == 4 && windows.count == 8 && windows.allSatisfy { $0.byteCount == 4096 })
    func sum(_ windows: [HistogramLog.Window]) -> UInt64 {
      windows.reduce(0) { $1.counts.reduce($0) { $0 + $1.count } }
    }
    // Nothing is counted twice, or left out.
    #expect(sum(reads) == outcome.statistics.directions.read.operations)
    #expect(sum(windows) == outcome.statistics.operations)
    for (index, window) in reads.enumerated() {
      #expect((95...111).contains(window.counts.reduce(0) { $0 + $1.count }) || index == 3)
      let longest = try #require(window.counts.last).bucket
      #expect(LatencyHistogram.value(at: Int(longest)) < 50_000 || index >= 2)
      let shortest = try #require(window.counts.first).bucket
      #expect(LatencyHistogram.value(at: Int(shortest)) > 50_000 || index <= 2)
    }
    #expect(try run(try job("--rw=read", "--write_hist_log=x"), on: device).histogramLog == nil)
  }

  @Test func optionsOfHistograms() throws {
    let log = try job("--write_hist_log=here", "--log_hist_msec=250", "--log_hist_coarseness=3").log
    #expect(log.histogramPrefix == "here" && log.histogramWindow == 250_000_000 && log.histogramCoarseness == 3)
    #expect(log.isWanted && !log.hasEntries)
    #expect(try job("--log_hist_coarseness=0").log.histogramCoarseness == 0)
    for wrong in ["7", "-1", "x"] {
      #expect(throws: OptionError.self) { try job("--log_hist_coarseness=\(wrong)") }
    }
  }

  @Test func prefixesAreThoseOfTheJob() throws {
    let file = "[global]\nwrite_bw_log\nwrite_lat_log=/tmp/${jobname}\n[first]\n[second]\nwrite_iops_log=z\n"
    let jobs = try plan(["f"], files: ["f": file]).jobs
    #expect(jobs.map(\.log.bandwidthPrefix) == ["first", "second"])
    #expect(jobs.map(\.log.latencyPrefix) == ["/tmp/first", "/tmp/second"])
    #expect(jobs.map(\.log.iopsPrefix) == [nil, "z"])
    let shown = HelpText.commandLine(try plan(["f"], files: ["f": file])).split(separator: "\n").map(String.init)
    #expect(shown[1].contains("--write_bw_log=second --write_lat_log="))
    #expect(try job("--write_bw_log", "here", "--log_avg_msec=250").log.window == 250_000_000)
    #expect(try !job("--log_avg_msec=250").log.isWanted)
  }
}
