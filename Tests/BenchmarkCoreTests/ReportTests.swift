import Foundation
import JSON
import Testing

@testable import BenchmarkCore

@Suite struct ReportTests {
  /// What fio 3.33 printed for these numbers.
  @Test(
    arguments: [
      (11517, 4, "11.5k"), (4661, 4, "4661"), (154_540, 4, "155k"), (9999, 4, "9999"), (10_000, 4, "10.0k"),
      (2_560_000, 4, "2560k"), (10_900_000, 4, "10.9M"), (17_496_123, 6, "17496k"), (4_826_300, 6, "4826.3k"),
      (978_883, 6, "978883"), (1_072_300, 6, "1072.3k"), (0, 4, "0"), (999_999, 4, "1000k"),
    ] as [(UInt64, Int, String)])
  func decimals(_ value: UInt64, _ figures: Int, _ expected: String) {
    #expect(Formatting.scaled(value, figures: figures, .decimal) == expected)
  }

  @Test(
    arguments: [
      (2_895_872, "2828KiB", "2896kB"), (47_185_920, "45.0MiB", "47.2MB"), (94_494_720, "90.1MiB", "94.5MB"),
      (162_070_528, "155MiB", "162MB"), (4096, "4096B", "4096B"), (65536, "64.0KiB", "65.5kB"),
      (1 << 20, "1024KiB", "1049kB"), (.max, "16.0EiB", "18.4EB"),
    ] as [(UInt64, String, String)])
  func amounts(_ value: UInt64, _ binary: String, _ decimal: String) {
    #expect(Formatting.binaryBytes(value) == binary)
    #expect(Formatting.decimalBytes(value) == decimal)
  }

  @Test func fixedDecimals() {
    #expect(Formatting.fixed(1.005, 1) == "1.0")
    #expect(Formatting.fixed(-2, 2) == "-2.00")
    #expect(Formatting.fixed(.nan, 2) == "0.00")
    #expect(Formatting.fixed(.infinity, 0) == "0")
  }

  @Test func timesLeft() {
    #expect(StatusLine.time(3) == "00m:03s")
    #expect(StatusLine.time(3723) == "01h:02m:03s")
    #expect(StatusLine.time(90_061) == "01d:01h:01m:01s")
  }

  /// What fio 3.33 printed for a mixed job (--percentile_list=50:99 --description=text --continue_on_error=io).
  private static let fioTerse = """
    3;fio-3.33;mix;0;0;788;11420;2855;69;43;10835;274.277701;1121.784599;10;4521;309.867107;585.719914;50.000000%=129;\
    99.000000%=4423;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;64;\
    11116;584.144807;1315.050266;0;0;0.000000%;0.000000;0.000000;812;11768;2942;69;3;903;17.385975;81.389895;1;10948;\
    679.126754;1904.615437;50.000000%=154;99.000000%=10813;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;\
    0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;0%=0;8;10952;696.512729;1906.712619;0;0;0.000000%;0.000000;0.000000;2.941176%;\
    8.823529%;233;0;13;0.2%;0.5%;101.5%;0.0%;0.0%;0.0%;0.0%;0.25%;0.00%;0.00%;5.75%;2.75%;22.25%;43.50%;6.75%;5.00%;\
    5.00%;5.50%;0.50%;1.25%;1.50%;0.00%;0.00%;0.00%;0.00%;0.00%;0.00%;0.00%;0.00%;0;0;text
    """

  @Test func terseHasTheFieldsOfFio() throws {
    // Numbers are data; how they are written is the format.
    func forms(_ line: String) -> [String] {
      line.split(separator: ";", omittingEmptySubsequences: false).map { field in
        field.replacing(#/\d+/#, with: "0").description
      }
    }
    let report = try mixReport()
    let text = TerseReport.render(report)
    #expect(text.hasSuffix(";0;0;text\n"))
    let ours = forms(String(text.dropLast()))
    let theirs = forms(Self.fioTerse)
    #expect(ours.count == theirs.count)
    for (place, (own, other)) in zip(ours, theirs).enumerated() { #expect(own == other, "field \(place)") }
    let fields = text.split(separator: ";")
    let read = report.entries[0].statistics.directions.read
    #expect(fields[5] == "\(read.byteCount / 1024)")
    #expect(fields[7] == "\(Formatting.whole(read.operationsPerSecond))")
    #expect(fields[13] == "\(read.completion.minimum / 1000)")
    #expect(fields[14] == "\(read.completion.maximum / 1000)")
    #expect(fields[17] == "50.000000%=\(read.completionHistogram.percentiles([50])[0].nanoseconds / 1000)")
    let shares = fields[99..<121].compactMap { Double($0.dropLast()) }
    #expect(abs(shares.reduce(0, +) - 100) < 0.3)
  }

  @Test func terseByFiosOtherNames() throws {
    #expect(try CommandLineReader.read(["--minimal"]).formats == [.terse])
    #expect(try CommandLineReader.read(["--append-terse", "--terse-version=3"]).formats == [.normal, .terse])
    #expect(try CommandLineReader.read(["--output-format=json,terse"]).formats == [.json, .terse])
  }

  private func mixReport() throws -> RunReport {
    let device = FakeDevice(byteCount: 1 << 22)
    let arguments = [
      "--name=global", "--size=4m", "--bs=4k", "--iodepth=4", "--fsync=32", "--runtime=1", "--time_based",
      "--percentile_list=50:99", "--slat_percentiles=1", "--clat_percentiles=1", "--lat_percentiles=1", "--name=mix",
      "--rw=randrw", "--description=text", "--continue_on_error=io",
    ]
    let parsed = try plan(arguments)
    let outcome = try run(parsed.jobs[0], on: device)
    return RunReport(
      entries: [
        ReportEntry(
          name: "mix", groupIdentifier: 0, options: parsed.jobs[0], outcome: outcome, endSeconds: 0, elapsedSeconds: 2)
      ],
      globalOptions: parsed.globalOptions, targets: ["fake"], timestampMilliseconds: 1_795_471_696_204)
  }

  /// All member paths with the kind of their values. Option and bin names are data, not schema.
  private func schema(_ json: String) throws -> [String: String] {
    var result: [String: String] = [:]
    func walk(_ value: Any, _ path: String) {
      switch value {
      case let object as [String: Any]:
        result[path] = "object"
        if path.hasSuffix("options") || path.hasSuffix("bins") { return }
        for (key, member) in object { walk(member, path + "/" + key) }
      case let array as [Any]:
        result[path] = "array"
        for element in array { walk(element, path + "[]") }
      case is String: result[path] = "string"
      case let number as NSNumber: result[path] = isFloatingPoint(number) ? "number" : "integer"
      default: result[path] = "other"
      }
    }
    walk(try JSONSerialization.jsonObject(with: Data(json.utf8)), "")
    return result
  }

  private func isFloatingPoint(_ number: NSNumber) -> Bool {
    let type = String(cString: number.objCType)
    return type == "d" || type == "f"
  }

  @Test func jsonPlusHasFiosSchema() throws {
    let fio = try schema(FioFixture.json)
    let ours = try schema(JSONReport.render(try mixReport(), bins: true))
    for (path, kind) in fio {
      // fio's flush shows its percentiles in the same place; kinds must agree as well.
      #expect(ours[path] == kind, "\(path)")
    }
    let extra = Set(ours.keys).subtracting(fio.keys).filter { !$0.hasPrefix("/nvmeof_bench") }
    let own = [
      "cpu_us_per_io", "sys_cpu_us_per_io", "usr_cpu_us_per_io", "measured_from_ns", "measured_until_ns",
    ]
    #expect(extra == Set(own.map { "/jobs[]/" + $0 }))
  }

  @Test func membersStandInFiosOrder() throws {
    func keys(_ json: String) -> [String] {
      json.split(separator: "\n").compactMap { line in
        let parts = line.split(separator: "\"")
        return parts.count > 1 && line.contains(":") && parts[0].allSatisfy { $0 == " " } ? String(parts[1]) : nil
      }
    }
    let fio = keys(FioFixture.json)
    let ours = keys(JSONReport.render(try mixReport(), bins: true))
    for section in [["io_bytes", "io_kbytes", "bw_bytes", "bw", "iops"], ["majf", "minf"], ["jobname", "groupid"]] {
      for keyList in [fio, ours] {
        let place = try #require(keyList.firstIndex(of: section[0]))
        #expect(Array(keyList[place..<place + section.count]) == section)
      }
    }
  }

  @Test func jsonWithoutPlusHasNoBins() throws {
    let text = JSONReport.render(try mixReport(), bins: false)
    #expect(!text.contains("\"bins\""))
    #expect(text.contains("\"percentile\""))
  }

  @Test func binsAddUpToTheCount() throws {
    let json = JSONReport.render(try mixReport(), bins: true)
    let root = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let job = try #require((root["jobs"] as? [[String: Any]])?.first)
    for direction in ["read", "write"] {
      let part = try #require(job[direction] as? [String: Any])
      let total = try #require(part["total_ios"] as? Int)
      #expect(total > 1000)
      for kind in ["slat_ns", "clat_ns", "lat_ns"] {
        let latency = try #require(part[kind] as? [String: Any])
        let bins = try #require(latency["bins"] as? [String: Int])
        #expect(bins.values.reduce(0, +) == total)
        #expect(latency["N"] as? Int == total)
      }
    }
  }

  @Test func plottersFindTheirOptions() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let options = try job("--rw=randread")
    let outcome = try run(options, on: device)
    let report = RunReport(entries: [ReportEntry("a", options, outcome)], timestampMilliseconds: 0)
    let json = JSONReport.render(report, bins: false)
    let root = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(root["global options"] == nil)
    let job = try #require((root["jobs"] as? [[String: Any]])?.first)
    let given = try #require(job["job options"] as? [String: String])
    #expect(given == ["rw": "randread", "bs": "4096", "iodepth": "1", "numjobs": "1"])
  }

  @Test func stringsAreEscaped() throws {
    let text = "quote\" back\\ line\n tab\t bell\u{7} é"
    let json = JSONWriter.text(of: ["k": .string(text)], style: .fio)
    let root = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: String])
    #expect(root["k"] == text)
  }

  /// A line's shape: digits and what belongs to numbers replaced, so that two lines differ only if their form does.
  private func shape(_ line: Substring) -> String {
    var result = ""
    for character in line {
      if character.isNumber || character == "." {
        if result.last != "#" { result.append("#") }
      } else if character == " ", result.last == "[" || result.last == "=" {
        continue
      } else {
        result.append(character)
      }
    }
    return result
  }

  @Test func normalOutputHasFiosLines() throws {
    let device = FakeDevice(byteCount: 1 << 20)
    device.service = { number, _ in UInt64(100_000 + (number * 7919) % 9000 * (number % 500 == 0 ? 900 : 30)) }
    let options = try job("--rw=randread", "--bs=4k", "--iodepth=4", "--time_based", "--runtime=2")
    var outcome = try run(options, on: device)
    outcome.threadIdentifier = 6354
    let report = RunReport(
      entries: [
        ReportEntry(
          name: "reader", groupIdentifier: 0, options: options, outcome: outcome, endSeconds: 1_795_467_778,
          elapsedSeconds: 2)
      ], timestampMilliseconds: 0)
    let ours = NormalReport.render(report)
    let known = Set(FioFixture.normal.split(separator: "\n").map(shape))
    let allowed = ["  cpu per io   : avg=#usec, usr=#usec, sys=#usec"]
    // Units and prefixes depend on the figures.
    func general(_ text: String) -> String {
      text.replacing("nsec", with: "?sec").replacing("usec", with: "?sec").replacing("msec", with: "?sec")
        .replacing("KiB", with: "?iB").replacing("MiB", with: "?iB").replacing("GiB", with: "?iB")
        .replacing("kB", with: "?B").replacing("MB", with: "?B").replacing("GB", with: "?B").replacing("#k", with: "#")
    }
    let forms = Set(known.map(general) + allowed.map(general))
    for line in ours.split(separator: "\n") {
      let form = general(shape(line))
      // Tables of shares have as many cells as there were latencies.
      if line.hasPrefix("  lat (") || line.contains("Mon ") || line.contains("pid=") { continue }
      #expect(forms.contains(form), "\(line)")
    }
    #expect(ours.contains("reader: (groupid=0, jobs=1): err= 0: pid=6354: "))
    #expect(ours.contains("issued rwts: total=\(outcome.statistics.operations),0,0,0 short=0,0,0,0 dropped=0,0,0,0"))
  }

  @Test func errorsShowInEveryFormat() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.fails = { number, _ in number == 3 }
    let options = try job("--rw=read")
    let outcome = try run(options, on: device)
    let report = RunReport(entries: [ReportEntry("bad", options, outcome)], timestampMilliseconds: 0)
    #expect(NormalReport.render(report).contains("err= 5 (read at offset 12288"))
    #expect(JSONReport.render(report, bins: false).contains("\"error\" : 5"))
    #expect(SummaryReport.render(report).contains("planned failure"))
  }

  @Test func groupsAreJoined() throws {
    func entry(_ name: String, _ group: Int, _ arguments: String...) throws -> ReportEntry {
      let options = try plan(["--name=\(name)", "--rw=read"] + arguments).jobs[0]
      let outcome = try run(options, on: FakeDevice(byteCount: 1 << 16))
      return ReportEntry(name, options, outcome, group: group)
    }
    let joined = ReportEntry.joined([
      try entry("a", 0, "--group_reporting"), try entry("a", 0, "--group_reporting"), try entry("b", 0),
      try entry("c", 1, "--group_reporting"), try entry("d", 1, "--group_reporting"), try entry("e", 1, "--stats=0"),
    ])
    #expect(joined.map(\.name) == ["a", "b", "c"])
    #expect(joined.map(\.jobCount) == [2, 1, 2])
    #expect(joined[0].statistics.directions.read.operations == 32)
    #expect(joined[0].statistics.totalRuntime == 2 * joined[1].statistics.totalRuntime)
    #expect(joined[0].statistics.measuredTime == joined[1].statistics.measuredTime)
    let report = RunReport(entries: joined, timestampMilliseconds: 0)
    #expect(report.groupIdentifiers == [0, 1])
    #expect(report.groupDirection(0, .read).byteCount == 3 << 16)
    #expect(NormalReport.render(report).contains("(groupid=0, jobs=2)"))
  }

  @Test func mixedReporting() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    for (mode, hasSeparate, hasMixed) in [("none", true, false), ("mixed", false, true), ("both", true, true)] {
      let options = try job("--rw=randrw", "--unified_rw_reporting=\(mode)")
      let outcome = try run(options, on: device)
      let report = RunReport(entries: [ReportEntry("a", options, outcome)], timestampMilliseconds: 0)
      let normal = NormalReport.render(report)
      let json = JSONReport.render(report, bins: false)
      #expect(normal.contains("  read: IOPS=") == hasSeparate)
      #expect(normal.contains("  mixed: IOPS=") == hasMixed)
      #expect(json.contains("\"read\" : {") == hasSeparate)
      #expect(json.contains("\"mixed\" : {") == hasMixed)
    }
  }

  private func pathsReport() throws -> RunReport {
    let options = try job("--rw=randrw", "--paths=h")
    var outcome = try run(options, on: FakeDevice(byteCount: 1 << 18))
    var up = PathReport.Path(address: "h:1")
    (up.lossCount, up.attemptCount, up.failedAttemptCount, up.reconnectCount) = (2, 5, 2, 2)
    up.longestOutage = 1_500_000_000
    up.lastTrouble = "it \"closed\""
    let down = PathReport.Path(address: "h:2", obstacle: "the controller is lost")
    var silent = PathReport.Path(address: "h:3")
    silent.isOnProbation = true
    var one = PathReport()
    one.paths = [up, down, silent]
    (one.retryCount, one.failoverCount, one.holdCount, one.fenceCount, one.failureCount) = (1, 2, 3, 4, 5)
    one.longestHold = 7_000_000
    outcome.statistics.longestFailure = 9_000_000
    outcome.statistics.paths = one
    var other = PathReport()
    other.paths = [
      PathReport.Path(address: "h:1", obstacle: "it is connecting"), PathReport.Path(address: "h:3"),
    ]
    other.longestHold = 6_000_000
    other.failoverCount = 40
    var sum = JobStatistics()
    sum.merge(outcome.statistics)
    var second = JobStatistics()
    second.paths = other
    sum.merge(second)
    outcome.statistics = sum
    return RunReport(entries: [ReportEntry("cable", options, outcome)], timestampMilliseconds: 0)
  }

  @Test func pathsShowInEveryFormat() throws {
    let report = try pathsReport()
    let normal = NormalReport.render(report)
    #expect(
      normal.contains(
        """
          paths        : longest io=9.00msec, longest hold=7.00msec, held=3, retries=1, failovers=42, fences=4, failed=5
             h:1: down (it is connecting), lost=2, reconnects=2, attempts=5 (2 failed), longest outage=1500.00msec
               last trouble: it "closed"
             h:2: down (the controller is lost), lost=0, reconnects=0, attempts=0 (0 failed), longest outage=0.00msec
             h:3: up, on probation, lost=0, reconnects=0, attempts=0 (0 failed), longest outage=0.00msec

        """), "\(normal)")
    let json = JSONReport.render(report, bins: false)
    let root = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    let job = try #require((root["jobs"] as? [[String: Any]])?.first)
    let multipath = try #require(job["multipath"] as? [String: Any])
    for (name, value) in [
      ("longest_io_ns", 9_000_000), ("longest_hold_ns", 7_000_000), ("held_ios", 3), ("retries", 1), ("failovers", 42),
      ("fences", 4), ("unfenced_resends", 0), ("failed_ios", 5),
    ] { #expect(multipath[name] as? Int == value, "\(name)") }
    let paths = try #require(multipath["paths"] as? [[String: Any]])
    #expect(paths.map { $0["address"] as? String } == ["h:1", "h:2", "h:3"])
    #expect(paths.map { $0["usable"] as? Int } == [0, 0, 1])
    #expect(paths.map { $0["on_probation"] as? Int } == [0, 0, 1])
    #expect(paths.map { $0["losses"] as? Int } == [2, 0, 0])
    #expect(paths[0]["last_trouble"] as? String == "it \"closed\"")
    #expect(
      SummaryReport.render(report).contains(
        "cable: paths lost 2 times, longest I/O 9.0 ms, 42 failovers, 1 retries, 4 fences\n"))
    // Without paths nothing is said of them.
    #expect(!NormalReport.render(try mixReport()).contains("paths"))
    #expect(!JSONReport.render(try mixReport(), bins: true).contains("multipath"))
  }

  @Test func statusLineShowsPathsThatAreDown() {
    func status(_ down: [String]) -> StatusLine.Job {
      StatusLine.Job(
        state: .running, pattern: .randread, done: nil, secondsLeft: nil,
        totals: PerDirection(all: (byteCount: 0, operations: 0)), pathsDown: down)
    }
    func line(_ jobs: [StatusLine.Job]) -> String {
      var line = StatusLine(now: 0)
      return line.render(jobs, now: 1, elapsedSeconds: 1, secondsAfter: 0)
    }
    #expect(line([status([]), status([])]) == "Jobs: 2 (f=2): [r(2)]")
    #expect(line([status(["h:1"]), status(["h:1"])]) == "Jobs: 2 (f=2): [r(2)][down: h:1]")
    #expect(line([status(["h:2"]), status(["h:1", "h:3"])]) == "Jobs: 2 (f=2): [r(2)][down: h:1 +2]")
  }

  @Test func statusLineOfSeveralJobs() {
    func status(_ state: JobState, _ pattern: IOPattern, _ bytes: UInt64, left: Double?) -> StatusLine.Job {
      StatusLine.Job(
        state: state, pattern: pattern, done: nil, secondsLeft: left,
        totals: PerDirection(read: (bytes, bytes / 4096), write: (0, 0), trim: (0, 0)))
    }
    var line = StatusLine(now: 0)
    let text = line.render(
      [
        status(.running, .randread, 47_185_920, left: 3), status(.running, .randread, 0, left: 2),
        status(.finished, .write, 0, left: nil), status(.notStarted, .write, 0, left: nil),
      ], now: 1_000_000_000, elapsedSeconds: 1, secondsAfter: 6)
    #expect(
      text == "Jobs: 2 (f=2): [r(2),_(1),P(1)][10.0%][r=45.0MiB/s][r=11.5k IOPS][eta 00m:09s]")
  }

  @Test func summaryIsOneLineAJob() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    let options = try job("--rw=randrw")
    let outcome = try run(options, on: device)
    let entry = ReportEntry("mix", options, outcome)
    let lines = SummaryReport.render(RunReport(entries: [entry], timestampMilliseconds: 0)).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(Set(lines.map(\.count)).count == 1)
    #expect(lines[1].hasPrefix("mix read") && lines[2].hasPrefix("mix write"))
  }
}
