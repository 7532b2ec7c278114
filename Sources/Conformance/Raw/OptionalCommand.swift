internal import NVMeProtocol

/// An I/O command that a controller need not have, in a form that changes nothing where it has it all the same.
struct OptionalCommand: Sendable {
  let name: String
  /// Its bit of ONCS.
  let bit: OptionalIOCommands
  let entry: SubmissionQueueEntry
  /// What it has for the target.
  var data: [UInt8] = []
  var readByteCount = 0

  static func all(_ namespace: RawNamespace) -> [OptionalCommand] {
    let identifier = namespace.identifier
    // Extended data structure of 64 bytes: a header, for a namespace without registrants (NVMe Base 2.1, section 7.6).
    var report = SubmissionQueueEntry(opcode: IOOpcode.reservationReport.rawValue, namespaceIdentifier: identifier)
    report.cdw10 = 64 / 4 - 1
    report.cdw11 = 1
    // Block 0 onto itself: a range of source format 0h, all zeroes (NVM Command Set 1.1, section 3.3.2).
    let copy = SubmissionQueueEntry(opcode: IOOpcode.copy.rawValue, namespaceIdentifier: identifier)
    return [
      OptionalCommand(
        name: "Compare", bit: .compare,
        entry: .compare(namespaceIdentifier: identifier, startingLBA: 0, blockCount: 1),
        data: [UInt8](repeating: 0, count: namespace.blockByteCount)),
      // Without an attribute it asks for nothing.
      OptionalCommand(
        name: "Dataset Management", bit: .datasetManagement,
        entry: .datasetManagement(namespaceIdentifier: identifier, rangeCount: 1, deallocate: false),
        data: DatasetManagementRange.encode([DatasetManagementRange(startingLBA: 0, blockCount: 1)])),
      OptionalCommand(name: "Reservation Report", bit: .reservations, entry: report, readByteCount: 64),
      OptionalCommand(
        name: "Verify", bit: .verify, entry: .verify(namespaceIdentifier: identifier, startingLBA: 0, blockCount: 1)),
      OptionalCommand(name: "Copy", bit: .copy, entry: copy, data: [UInt8](repeating: 0, count: 32)),
    ]
  }
}
