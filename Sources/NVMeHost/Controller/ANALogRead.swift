internal import NVMeProtocol

/// Reads a controller's ANA log. No command transfers more than MDTS: a longer log is read piece by piece. Sans-I/O:
/// `nextCommand` and `take` take turns.
struct ANALogRead {
  private static let maximumByteCount = 1 << 20

  /// How long the log can be.
  private let byteCount: Int
  private let pieceLimit: Int
  /// What has come of it so far.
  private(set) var bytes: [UInt8] = []

  init(of identification: IdentifyController?, maximumTransferByteCount: Int?) {
    pieceLimit = maximumTransferByteCount ?? .max
    // Header, and per group a descriptor with the namespaces in it (NVMe Base 2.1, section 5.1.12.1.13).
    let groups = Int(min(identification?.anaGroupCount ?? 0, 65_536))
    let namespaces = Int(min(identification?.maximumAllowedNamespaces ?? 0, 65_536))
    let fallback = Int(min(identification?.namespaceCount ?? 0, 65_536))
    let wanted = ANALog.byteCount(groupCount: groups, namespaceCount: namespaces > 0 ? namespaces : fallback)
    let bounded = min(max(4096, wanted), Self.maximumByteCount)
    byteCount = identification?.supportsExtendedLogPageData == true ? bounded : min(bounded, pieceLimit)
  }

  private var remainingByteCount: Int { byteCount - bytes.count }

  /// How much ``nextCommand()`` reads.
  var nextByteCount: Int { min(remainingByteCount, pieceLimit) }

  func nextCommand() -> SubmissionQueueEntry {
    // The last piece clears the event.
    .getLogPage(
      .asymmetricNamespaceAccess, byteCount: nextByteCount, offset: UInt64(bytes.count),
      retainAsynchronousEvent: nextByteCount < remainingByteCount)
  }

  /// Takes what ``nextCommand()`` has read; true when more is to be read.
  mutating func take(_ piece: [UInt8]) -> Bool {
    bytes += piece
    // An empty piece would be asked for for ever.
    return bytes.count < byteCount && !piece.isEmpty && bytes.count % 4 == 0
  }
}
