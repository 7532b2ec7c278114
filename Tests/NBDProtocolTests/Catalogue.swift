import NBDProtocol

/// Two exports: "disk", the default, of 64 KiB with everything, and "frozen", read-only and with blocks of 4096.
struct Catalogue: NBDExportCatalogue {
  static let disk = NBDExportDescription(
    name: "disk", description: "a disk",
    limits: NBDExportLimits(
      byteCount: 65_536, minimumBlockByteCount: 512, preferredBlockByteCount: 4096,
      maximumPayloadByteCount: 16_384,
      flags: [
        .hasFlags, .sendFlush, .sendForceUnitAccess, .sendTrim, .sendWriteZeroes, .canMultiConnect, .sendFastZero,
      ]))
  static let frozen = NBDExportDescription(
    name: "frozen", description: "",
    limits: NBDExportLimits(
      byteCount: 1 << 40, minimumBlockByteCount: 4096, preferredBlockByteCount: 4096,
      maximumPayloadByteCount: 1 << 25, flags: [.hasFlags, .readOnly, .sendFlush, .canMultiConnect]))

  var descriptions: [NBDExportDescription] { [Self.disk, Self.frozen] }
  func description(ofExport name: String) -> NBDExportDescription? {
    name.isEmpty ? Self.disk : descriptions.first { $0.name == name }
  }
}
