extension ConformanceCase {
  /// Where the specifications say what the case asks for; nil for cases that are not of the suite.
  ///
  /// By the longest beginning of the identifier that the table has.
  public var specification: String? {
    Self.specifications.filter { identifier.hasPrefix($0.beginning) }.max { $0.beginning.count < $1.beginning.count }?
      .place
  }

  private static let specifications: [(beginning: String, place: String)] = [
    ("initialize.", tcp("3.1 and 3.6.2.2, ICReq")),
    ("initialize.digests", tcp("3.3.1.1 and 3.6.2.3, DGST")),
    ("initialize.limits", tcp("3.6.2.3, MAXH2CDATA")),
    ("initialize.alignment", tcp("3.3 and 3.6.2.2, HPDA")),
    ("initialize.unknown-type", tcp("3.3, 3.5 and 3.6.2.1")),
    ("connect.", base("6.3, Connect")),
    ("connect.admin", base("3.5.2 and 5.1.13")),
    ("connect.second-port", base("3.1.2 and 5.1.13.2.1, CNTLID")),
    ("connect.io-queue-twice", base("3.3.2.3")),
    ("connect.command-first", base("3.3.2.2")),
    ("admin.", base("5.1")),
    ("admin.unknown-opcode", base("4.2.3")),
    ("admin.unknown-log-page", base("5.1.12")),
    ("admin.active-namespaces", base("5.1.13.2.2")),
    ("admin.invalid-namespace", base("5.1.13")),
    ("admin.event-limit", base("5.1.2")),
    ("admin.before-enable", base("3.3.2.3")),
    ("admin.property-size", base("6.5 and 6.6, Property Get and Set")),
    ("admin.abort-unknown", base("5.1.1")),
    ("io.", nvm("3.3")),
    ("io.submission-queue-head", base("3.3.2.6 and 4.2.1, SQHD")),
    ("io.flow-control-off", base("3.3.2.5 and 6.3, CATTR")),
    ("io.pointers", base("4.1.1, PSDT")),
    ("io.largest", base("5.1.13.2.1, MDTS")),
    ("io.header-digest", tcp("3.3.1.1 and 3.5")),
    ("io.data-digest", tcp("3.3.1.1 and 3.5")),
    ("io.in-capsule-too-long", tcp("3.3.1 and 3.6.2.6")),
    ("io.short-transfer", tcp("3.3 and 3.3.2.2")),
    ("io.r2t-limit", tcp("3.3.2.2 and 3.6.2.2, MAXR2T")),
    ("io.data-outside-r2t", tcp("3.3.2.2 and 3.6.2.8")),
    ("io.unknown-transfer-tag", tcp("3.3.2.2 and 3.6.2.8, TTAG")),
    ("keep-alive.", base("3.9")),
    ("disconnect.", base("3.1.2 and 3.3.2.4")),
    ("disconnect.orderly", base("3.6.2")),
    ("data.", nvm("3.3.4 and 3.3.6")),
    ("queues.", base("3.3.2 and 3.3.3.1")),
    ("operations.flush", base("7.2, Flush")),
    ("operations.force-unit-access", nvm("3.3.4 and 3.3.6, FUA")),
    ("operations.write-zeroes", nvm("3.3.8")),
    ("operations.discard", nvm("3.3.3")),
    ("operations.compare", nvm("3.3.1")),
    ("operations.verify", nvm("3.3.5")),
    ("operations.unsupported", base("5.1.13.2.1, ONCS")),
    ("namespaces.", base("5.1.2 and 5.1.13")),
    ("multipath.", base("8.1.1, ANA")),
    ("multipath.ana-news", base("5.1.2.1 and 5.1.12.1.13, ANA")),
    ("multipath.identity", base("5.1.13.2.3 and 5.1.13.2.1")),
    ("discovery.", base("3.1.3.3 and 5.1.12.3.1")),
    ("recovery.", base("3.1.2 and 3.9")),
  ]

  private static func tcp(_ section: String) -> String { "NVMe/TCP Transport 1.1, section \(section)" }
  private static func base(_ section: String) -> String { "NVMe Base 2.1, section \(section)" }
  private static func nvm(_ section: String) -> String { "NVM Command Set 1.1, section \(section)" }
}
