import NVMeHost
import NVMeProtocol
import Testing

@Suite struct DiscoveryTests {
  static func entry(
    _ host: String, port: String = "4420", nqn: String = "nqn.2016-06.io.example:a",
    type: DiscoveryLogEntry.SubsystemType = .nvm, transport: TransportType = .tcp
  ) -> DiscoveryLogEntry {
    var entry = DiscoveryLogEntry()
    entry.transportType = transport
    entry.subsystemType = type
    entry.transportAddress = host
    entry.serviceIdentifier = port
    entry.subsystemNQN = nqn
    return entry
  }

  /// A discovery log as a controller would serve it.
  struct Log {
    var entries: [DiscoveryLogEntry] {
      didSet { body = entries.flatMap { $0.encode() } }
    }
    var generation: UInt64 = 1
    private var body: [UInt8]

    init(entries: [DiscoveryLogEntry]) {
      self.entries = entries
      body = entries.flatMap { $0.encode() }
    }

    func serve(_ command: SubmissionQueueEntry, byteCount: Int) -> [UInt8] {
      let header = DiscoveryLogHeader(generationCounter: generation, recordCount: UInt64(entries.count))
      let all = header.encode() + body
      let offset = Int(command.cdw12)
      let padded = all + [UInt8](repeating: 0, count: max(0, offset + byteCount - all.count))
      return Array(padded[offset..<offset + byteCount])
    }
  }

  @Test(arguments: [0, 1, 3, 4, 5, 9, 100], [1024, 4096, 65_536]) func wholeLog(count: Int, piece: Int) throws {
    let log = Log(entries: (0..<count).map { Self.entry("10.0.0.\($0 % 250)", port: String(1000 + $0)) })
    var reader = DiscoveryLogReader(readByteCount: piece)
    var reads = 0
    while let read = reader.nextRead() {
      #expect(read.byteCount <= max(piece, 1024))
      #expect(read.command.cdw10 >> 16 == UInt32(read.byteCount / 4 - 1))
      let isLast = reads > 0 && read.command.cdw12 == 0
      #expect((read.command.cdw10 & 1 << 15 == 0) == isLast)
      try reader.handle(.success, data: log.serve(read.command, byteCount: read.byteCount))
      reads += 1
    }
    #expect(reader.isDone && reader.entries == log.entries && reader.restartCount == 0)
    let perRead = max(piece / 1024, 1)
    #expect(reads == 2 + (count + perRead - 1) / perRead)
  }

  @Test func changesUnderOurHands() throws {
    var log = Log(entries: (0..<10).map { Self.entry("10.0.0.\($0)") })
    var reader = DiscoveryLogReader()
    var reads = 0
    while let read = reader.nextRead() {
      reads += 1
      if reads == 3 {
        log.entries.removeFirst(4)
        log.generation += 1
      }
      try reader.handle(.success, data: log.serve(read.command, byteCount: read.byteCount))
    }
    #expect(reader.entries == log.entries && reader.restartCount == 1 && reader.generationCounter == 2)
  }

  /// What lies beyond the end of a log is refused as an invalid field, by SPDK's target for one.
  @Test func becomesShorterUnderOurHands() throws {
    var log = Log(entries: [Self.entry("10.0.0.1")])
    var reader = DiscoveryLogReader()
    let header = try #require(reader.nextRead())
    try reader.handle(.success, data: log.serve(header.command, byteCount: header.byteCount))
    log.entries = []
    log.generation += 1
    try reader.handle(.invalidFieldInCommand, data: [])
    while let read = reader.nextRead() {
      try reader.handle(.success, data: log.serve(read.command, byteCount: read.byteCount))
    }
    #expect(reader.entries.isEmpty && reader.restartCount == 1)
    var refusing = DiscoveryLogReader()
    #expect(throws: DiscoveryError.refused(.invalidFieldInCommand)) {
      try refusing.handle(.invalidFieldInCommand, data: [])
    }
  }

  @Test func changesForEver() {
    var log = Log(entries: [Self.entry("10.0.0.1")])
    var reader = DiscoveryLogReader()
    let error = #expect(throws: DiscoveryError.self) {
      for _ in 0..<1000 {
        guard let read = reader.nextRead() else { return }
        log.generation += 1
        try reader.handle(.success, data: log.serve(read.command, byteCount: read.byteCount))
      }
    }
    #expect(error == .keepsChanging(attempts: DiscoveryLogReader.maximumAttempts))
    var restarting = DiscoveryLogReader()
    #expect(throws: DiscoveryError.keepsChanging(attempts: DiscoveryLogReader.maximumAttempts)) {
      for _ in 0..<1000 { try restarting.handle(.discoverRestart, data: []) }
    }
  }

  @Test func hostileLogs() {
    func failure(_ data: [UInt8], _ status: StatusField = .success) -> DiscoveryError? {
      var reader = DiscoveryLogReader(recordLimit: 100)
      do throws(DiscoveryError) {
        try reader.handle(status, data: data)
        return nil
      } catch { return error }
    }
    #expect(failure([], .invalidLogPage) == .refused(.invalidLogPage))
    #expect(
      failure(DiscoveryLogHeader(generationCounter: 1, recordCount: .max).encode())
        == .tooManyRecords(count: .max, limit: 100))
    var header = DiscoveryLogHeader(generationCounter: 1, recordCount: 1)
    header.recordFormat = 5
    #expect(failure(header.encode()) == .unknownRecordFormat(5))
    guard case .malformed? = failure([1, 2, 3]) else {
      Issue.record("a truncated header is accepted")
      return
    }
    var reader = DiscoveryLogReader()
    #expect(throws: DiscoveryError.self) {
      try reader.handle(.success, data: DiscoveryLogHeader(generationCounter: 1, recordCount: 2).encode())
      try reader.handle(.success, data: [UInt8](repeating: 0, count: 2047))
    }
  }

  @Test func records() {
    var source = TargetIdentifier(host: "10.0.0.1")
    source.hostNQN = "nqn.h"
    source.headerDigest = true
    source.namespaceIdentifier = 3
    func record(_ entry: DiscoveryLogEntry) -> DiscoveryRecord {
      DiscoveryRecord(entry: entry, source: source, depth: 0)
    }
    let good = record(Self.entry("fe80::1", port: "4421"))
    #expect(good.isConnectable && !good.isReferral)
    #expect(good.target?.uri == "nvme+tcp://[fe80::1]:4421/nqn.2016-06.io.example:a?hdgst=1&hostnqn=nqn.h")
    #expect(record(Self.entry("10.0.0.2", type: .referral)).isReferral)
    #expect(!record(Self.entry("10.0.0.2", type: .referral)).isConnectable)
    #expect(!record(Self.entry("10.0.0.2", type: .currentDiscovery)).isReferral)
    var secure = Self.entry("10.0.0.2")
    secure.transportRequirements = 1
    for (entry, reason) in [
      (secure, "secure channel"),
      (Self.entry("10.0.0.2", transport: .rdma), "rdma"), (Self.entry("10.0.0.2", port: "0"), "port"),
      (Self.entry("10.0.0.2", port: "none"), "none"), (Self.entry(""), "address"), (Self.entry("a b"), "a b"),
      (Self.entry("10.0.0.2", nqn: ""), "NQN"), (Self.entry("nn-0x1:pn-0x2", transport: .fibreChannel), "fc"),
    ] {
      let refused = record(entry)
      #expect(!refused.isConnectable && refused.target == nil)
      #expect(refused.unusableReason?.contains(reason) == true, "\(String(describing: refused.unusableReason))")
    }
  }

  /// Crawls a network of services by address.
  static func crawl(
    _ services: [String: [DiscoveryLogEntry]], limits: DiscoveryCrawler.Limits = .init()
  ) -> (DiscoveryCrawler, asked: [String]) {
    var crawler = DiscoveryCrawler(start: TargetIdentifier(host: "10.0.0.1"), limits: limits)
    var asked: [String] = []
    while let service = crawler.nextService() {
      asked.append(service.target.host)
      if let entries = services[service.target.host] {
        crawler.handle(service, entries: entries)
      } else {
        crawler.handle(service, error: .refused(.internalError))
      }
    }
    return (crawler, asked)
  }

  static func referral(_ host: String, port: String = "8009") -> DiscoveryLogEntry {
    entry(host, port: port, nqn: NVMeQualifiedName.discovery, type: .referral)
  }

  @Test func referralsInACircle() {
    let (crawler, asked) = Self.crawl([
      "10.0.0.1": [
        Self.entry("10.1.0.1"), Self.referral("10.0.0.2"), Self.referral("10.0.0.1"), Self.referral("10.0.0.9"),
      ],
      "10.0.0.2": [
        Self.entry("10.1.0.2"), Self.entry("10.1.0.1"), Self.referral("10.0.0.1"), Self.referral("10.0.0.3"),
      ],
      "10.0.0.3": [Self.referral("10.0.0.2"), Self.entry("10.1.0.3", transport: .rdma)],
    ])
    #expect(asked == ["10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.3"])
    #expect(crawler.records.filter(\.isConnectable).map(\.entry.transportAddress) == ["10.1.0.1", "10.1.0.2"])
    // Of another transport: shown, not to be connected to.
    #expect(crawler.records.contains { $0.entry.transportType == .rdma && $0.unusableReason != nil })
    #expect(crawler.failures.map(\.target.host) == ["10.0.0.9"])
    #expect(crawler.records.last?.depth == 2)
  }

  @Test func limits() {
    var limits = DiscoveryCrawler.Limits()
    limits.depth = 1
    var (crawler, asked) = Self.crawl(
      ["10.0.0.1": [Self.referral("10.0.0.2")], "10.0.0.2": [Self.referral("10.0.0.3")]], limits: limits)
    #expect(asked == ["10.0.0.1", "10.0.0.2"])
    #expect(crawler.skippedReferrals.map(\.entry.transportAddress) == ["10.0.0.3"])

    limits = .init()
    limits.services = 3
    (crawler, asked) = Self.crawl(["10.0.0.1": (2...9).map { Self.referral("10.0.0.\($0)") }], limits: limits)
    #expect(asked.count == 3 && crawler.skippedReferrals.count == 6)

    limits = .init()
    limits.records = 5
    (crawler, asked) = Self.crawl(["10.0.0.1": (1...9).map { Self.entry("10.1.0.\($0)") }], limits: limits)
    #expect(crawler.records.count == 5 && crawler.droppedRecordCount == 4)
  }
}
