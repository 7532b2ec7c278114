internal import NVMeProtocol

/// Size and block size of a namespace, read with the raw client.
struct RawNamespace {
  let identifier: UInt32
  let blockCount: UInt64
  let blockByteCount: Int

  /// The first namespace under test, or the first active one when none was named.
  init(_ controller: RawController) throws {
    var identifier = controller.target.namespaceIdentifiers.first ?? 0
    if identifier == 0 { identifier = try Self.activeIdentifiers(controller).first ?? 0 }
    guard identifier != 0 else { throw ConformanceSkip("the subsystem has no active namespace") }
    try self.init(controller, identifier)
  }

  init(_ controller: RawController, _ identifier: UInt32) throws {
    let data = try controller.identify(.namespace, namespaceIdentifier: identifier)
    self.identifier = identifier
    blockCount = data.littleEndian(at: 0, count: 8)
    // FLBAS bits 3:0 choose the LBA format; LBADS is in bits 23:16 of it (NVM Command Set 1.1).
    let format = Int(data[26] & 0xF)
    let exponent = data[128 + format * 4 + 2]
    // Nobody has blocks beyond 16 MiB; what cases compute of a few blocks is to fit 32 bits.
    guard (9...24).contains(exponent) else {
      throw ConformanceFailure("LBADS of namespace \(identifier) is \(exponent)")
    }
    blockByteCount = 1 << Int(exponent)
    guard blockCount > 0 else { throw ConformanceFailure("namespace \(identifier) has no blocks") }
  }

  static func activeIdentifiers(_ controller: RawController) throws -> [UInt32] {
    let data = try controller.identify(.activeNamespaceList)
    return stride(from: 0, to: data.count, by: 4).map { UInt32(data.littleEndian(at: $0, count: 4)) }
      .prefix { $0 != 0 }
  }
}

extension [UInt8] {
  /// A little-endian quantity of 1 to 8 bytes.
  func littleEndian(at offset: Int, count: Int) -> UInt64 {
    self[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
