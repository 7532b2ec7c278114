/// Fabrics commands (NVMe Base 2.1, section 6): opcode 7Fh, the kind in byte 4.
extension SubmissionQueueEntry {
  @usableFromInline
  static func fabrics(_ type: FabricsCommandType) -> SubmissionQueueEntry {
    SubmissionQueueEntry(opcode: AdminOpcode.fabrics.rawValue, namespaceIdentifier: UInt32(type.rawValue))
  }

  /// FCTYPE; nil if this is no fabrics command or the type is unknown.
  public var fabricsCommandType: FabricsCommandType? {
    guard opcode == AdminOpcode.fabrics.rawValue else { return nil }
    return FabricsCommandType(rawValue: UInt8(truncatingIfNeeded: namespaceIdentifier))
  }

  /// Connect; its data is an encoded `ConnectData`, 1,024 bytes.
  /// - Parameters:
  ///   - queueIdentifier: 0 for the admin queue.
  ///   - entries: queue depth, 2 to 65,535 (SQSIZE is zeroes based; 1 is not allowed, and the admin queue has 32 or
  ///     more by NVMe Base 2.1, section 6.3).
  ///   - disableSubmissionQueueFlowControl: CATTR bit 2.
  ///   - keepAliveTimeoutMilliseconds: KATO, admin queue only; 0 switches the timer off.
  public static func fabricsConnect(
    queueIdentifier: UInt16, entries: UInt16, priorityClass: UInt8 = 0,
    disableSubmissionQueueFlowControl: Bool = false, individualQueueDeletion: Bool = false,
    keepAliveTimeoutMilliseconds: UInt32 = 0
  ) -> SubmissionQueueEntry {
    precondition(entries >= 2, "a queue has 2 entries or more")
    var entry = fabrics(.connect)
    // Bytes 40–41 RECFMT 0, 42–43 QID, 44–45 SQSIZE, 46 CATTR, 48–51 KATO.
    entry.cdw10 = UInt32(queueIdentifier) << 16
    let attributes =
      priorityClass & 0b11 | (disableSubmissionQueueFlowControl ? 1 << 2 : 0) | (individualQueueDeletion ? 1 << 3 : 0)
    entry.cdw11 = UInt32(entries - 1) | UInt32(attributes) << 16
    entry.cdw12 = keepAliveTimeoutMilliseconds
    return entry
  }

  /// The fields of a Connect command as a target reads them; meaningless for other commands.
  public var connectFields: ConnectFields { ConnectFields(self) }

  /// Property Get; the value comes in dwords 0 and 1 of the completion.
  public static func propertyGet(_ property: ControllerProperty) -> SubmissionQueueEntry {
    var entry = fabrics(.propertyGet)
    entry.cdw10 = property.isEightBytes ? 1 : 0
    entry.cdw11 = property.offset
    return entry
  }

  /// Property Set.
  /// - Parameter value: only the low 32 bits count for a 4-byte property.
  public static func propertySet(_ property: ControllerProperty, value: UInt64) -> SubmissionQueueEntry {
    var entry = fabrics(.propertySet)
    entry.cdw10 = property.isEightBytes ? 1 : 0
    entry.cdw11 = property.offset
    entry.cdw12 = UInt32(truncatingIfNeeded: value)
    entry.cdw13 = property.isEightBytes ? UInt32(truncatingIfNeeded: value >> 32) : 0
    return entry
  }

  /// ATTRIB and OFST of a Property Get or Set as a target reads them.
  public var propertyFields: (isEightBytes: Bool, offset: UInt32, value: UInt64) {
    (cdw10 & 0b111 == 1, cdw11, UInt64(cdw12) | UInt64(cdw13) << 32)
  }

  /// Disconnect: deletes the I/O queue it is sent on.
  public static func fabricsDisconnect() -> SubmissionQueueEntry { fabrics(.disconnect) }
}
