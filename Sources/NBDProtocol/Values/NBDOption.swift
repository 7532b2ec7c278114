/// NBD_OPT_*, "Option types". A client may send any number.
public struct NBDOption: RawRepresentable, Sendable, Hashable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let exportName = NBDOption(rawValue: 1)
  public static let abort = NBDOption(rawValue: 2)
  public static let list = NBDOption(rawValue: 3)
  public static let startTLS = NBDOption(rawValue: 5)
  public static let info = NBDOption(rawValue: 6)
  public static let go = NBDOption(rawValue: 7)
  public static let structuredReply = NBDOption(rawValue: 8)
  public static let listMetaContext = NBDOption(rawValue: 9)
  public static let setMetaContext = NBDOption(rawValue: 10)
  /// Of the EXTENDED_HEADERS extension.
  public static let extendedHeaders = NBDOption(rawValue: 11)

  /// This server does something with it.
  var isKnown: Bool {
    switch self {
    case .exportName, .abort, .list, .startTLS, .info, .go, .structuredReply, .listMetaContext, .setMetaContext,
      .extendedHeaders:
      true
    default: false
    }
  }
}
