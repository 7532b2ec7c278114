internal import NVMeProtocol

/// Reads a controller's ANA log. No command transfers more than MDTS: what may be longer is read piece by piece up to the
/// log's end, beyond which there is nothing to be read (Invalid Field), and its header once more at the end: if the change
/// count is another one then, the pieces may not belong together, and all is read again.
/// Sans-I/O: `nextCommand` and `take` take turns.
struct ANALogRead {
  private static let maximumByteCount = 1 << 20
  private static let headerByteCount = 16
  private static let maximumAttempts = 8

  /// How long the log can be. How long it is its descriptors tell.
  private let byteCount: Int
  private let pieceLimit: Int
  private var attempts = 1
  /// Every group that the header counts has come.
  private var isWhole = false
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

  private var hasSeveralPieces: Bool { byteCount > pieceLimit }
  private var isCheck: Bool { isWhole || bytes.count == byteCount }

  /// How much ``nextCommand()`` reads.
  var nextByteCount: Int { isCheck ? Self.headerByteCount : min(byteCount - bytes.count, pieceLimit) }

  func nextCommand() -> SubmissionQueueEntry {
    // The last command clears the event: what changes afterwards is told anew, what has changed before is seen by the check.
    .getLogPage(
      .asymmetricNamespaceAccess, byteCount: nextByteCount, offset: isCheck ? 0 : UInt64(bytes.count),
      retainAsynchronousEvent: hasSeveralPieces && !isCheck)
  }

  /// Takes what ``nextCommand()`` has read.
  ///
  /// - Returns: whether more is to be read.
  /// - Throws: ``ControllerError`` where the pieces are not as long as they must be, or never fit together.
  mutating func take(_ piece: [UInt8]) throws(ControllerError) -> Bool {
    let wanted = nextByteCount
    guard piece.count >= wanted else {
      throw .unusable("its ANA log came in a piece of \(piece.count) bytes, not \(wanted)")
    }
    if isCheck {
      // The change count is the first 8 bytes.
      if piece.prefix(8).elementsEqual(bytes.prefix(8)) { return false }
      try restart()
      return true
    }
    bytes += piece.prefix(wanted)
    isWhole = (try? ANALog(decoding: bytes)) != nil
    return hasSeveralPieces
  }

  /// The controller has refused ``nextCommand()``.
  ///
  /// - Returns: whether to go on: the log may have become so short that a later piece begins beyond its end.
  mutating func isRestarted(after status: StatusField) throws(ControllerError) -> Bool {
    guard !bytes.isEmpty, !isCheck, status.matches(.invalidFieldInCommand) else { return false }
    try restart()
    return true
  }

  private mutating func restart() throws(ControllerError) {
    guard attempts < Self.maximumAttempts else {
      throw .unusable("its ANA log has changed during each of \(attempts) readings")
    }
    attempts += 1
    bytes = []
    isWhole = false
  }
}
