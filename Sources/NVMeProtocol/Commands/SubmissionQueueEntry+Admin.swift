/// Admin commands (NVMe Base 2.1, section 5).
extension SubmissionQueueEntry {
  /// Identify; always answers with 4,096 bytes.
  /// - Parameters:
  ///   - structure: CNS.
  ///   - controllerIdentifier: CNTID, for the lists of controllers and of namespaces by controller.
  ///   - commandSetIdentifier: CSI, bits 31:24 of dword 11.
  ///   - specificIdentifier: CNSSID (an NVM set, domain or endurance group), bits 15:0 of dword 11.
  public static func identify(
    _ structure: IdentifyStructure, namespaceIdentifier: UInt32 = 0, controllerIdentifier: UInt16 = 0,
    commandSetIdentifier: CommandSetIdentifier = .nvm, specificIdentifier: UInt16 = 0
  ) -> SubmissionQueueEntry {
    var entry = SubmissionQueueEntry(
      opcode: AdminOpcode.identify.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.cdw10 = UInt32(structure.rawValue) | UInt32(controllerIdentifier) << 16
    entry.cdw11 = UInt32(specificIdentifier) | UInt32(commandSetIdentifier.rawValue) << 24
    return entry
  }

  /// Get Log Page.
  /// - Parameters:
  ///   - byteCount: what to transfer: 4 to 2^34, rounded up to a multiple of 4 by the dword count NUMD.
  ///   - offset: LPO, a byte offset, multiple of 4; the controller's LPA tells whether it is allowed.
  ///   - specificParameter: LSP, 7 bits. - specificIdentifier: LSI.
  ///   - retainAsynchronousEvent: RAE; false lets the controller report the page's event again.
  public static func getLogPage(
    _ page: LogPageIdentifier, namespaceIdentifier: UInt32 = 0xFFFF_FFFF, byteCount: Int, offset: UInt64 = 0,
    specificParameter: UInt8 = 0, specificIdentifier: UInt16 = 0, retainAsynchronousEvent: Bool = false,
    commandSetIdentifier: CommandSetIdentifier = .nvm
  ) -> SubmissionQueueEntry {
    precondition(byteCount >= 1 && byteCount <= 1 << 34, "byteCount is 1 to 2^34")
    precondition(offset % 4 == 0, "a log page offset is a multiple of 4")
    let dwords = UInt32(truncatingIfNeeded: (byteCount + 3) / 4 - 1)
    var entry = SubmissionQueueEntry(
      opcode: AdminOpcode.getLogPage.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.cdw10 =
      UInt32(page.rawValue) | UInt32(specificParameter & 0x7F) << 8 | (retainAsynchronousEvent ? 1 << 15 : 0)
      | (dwords & 0xFFFF) << 16
    entry.cdw11 = dwords >> 16 | UInt32(specificIdentifier) << 16
    entry.cdw12 = UInt32(truncatingIfNeeded: offset)
    entry.cdw13 = UInt32(truncatingIfNeeded: offset >> 32)
    entry.cdw14 = UInt32(commandSetIdentifier.rawValue) << 24
    return entry
  }

  /// Which value of a feature Get Features is to return: SEL.
  public enum FeatureSelect: UInt8, Sendable, CaseIterable {
    case current = 0
    case `default` = 1
    case saved = 2
    case supportedCapabilities = 3
  }

  /// Get Features; the value comes in dword 0 of the completion, for some features also as data.
  public static func getFeatures(
    _ feature: FeatureIdentifier, select: FeatureSelect = .current, namespaceIdentifier: UInt32 = 0,
    value: UInt32 = 0
  ) -> SubmissionQueueEntry {
    var entry = SubmissionQueueEntry(
      opcode: AdminOpcode.getFeatures.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.cdw10 = UInt32(feature.rawValue) | UInt32(select.rawValue) << 8
    entry.cdw11 = value
    return entry
  }

  /// Set Features.
  /// - Parameter save: SV: keep the value over resets and power cycles.
  public static func setFeatures(
    _ feature: FeatureIdentifier, value: UInt32, value2: UInt32 = 0, namespaceIdentifier: UInt32 = 0,
    save: Bool = false
  ) -> SubmissionQueueEntry {
    var entry = SubmissionQueueEntry(
      opcode: AdminOpcode.setFeatures.rawValue, namespaceIdentifier: namespaceIdentifier)
    entry.cdw10 = UInt32(feature.rawValue) | (save ? 1 << 31 : 0)
    entry.cdw11 = value
    entry.cdw12 = value2
    return entry
  }

  /// Asynchronous Event Request: completes when there is something to report.
  public static func asynchronousEventRequest() -> SubmissionQueueEntry {
    SubmissionQueueEntry(opcode: AdminOpcode.asynchronousEventRequest.rawValue)
  }

  public static func keepAlive() -> SubmissionQueueEntry {
    SubmissionQueueEntry(opcode: AdminOpcode.keepAlive.rawValue)
  }

  /// Abort; dword 0 of the completion has bit 0 clear if the command was aborted.
  public static func abort(commandIdentifier: UInt16, queueIdentifier: UInt16) -> SubmissionQueueEntry {
    var entry = SubmissionQueueEntry(opcode: AdminOpcode.abort.rawValue)
    entry.cdw10 = UInt32(queueIdentifier) | UInt32(commandIdentifier) << 16
    return entry
  }
}
