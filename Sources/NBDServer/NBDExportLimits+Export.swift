internal import BlockDevice
internal import BlockExport
internal import NBDProtocol

extension NBDExportLimits {
  /// What NBD says of an export.
  ///
  /// - Flush is always there: without a volatile cache it is done at once. FUA is there where the device has it, or has no
  ///   volatile cache, where every write has that effect.
  /// - Several connections are always possible: nothing is cached here, and a device's cache is one for all its channels.
  /// - A device that can write zeroes does it without data on the wire, hence faster than by a write; one that finds that
  ///   it cannot says so when it is asked for it.
  init(_ limits: ExportLimits) {
    var flags: NBDTransmissionFlags = [.hasFlags, .sendFlush, .canMultiConnect]
    let capabilities = limits.capabilities
    if limits.isReadOnly { flags.insert(.readOnly) }
    if capabilities.contains(.forceUnitAccess) || !capabilities.contains(.volatileWriteCache) {
      flags.insert(.sendForceUnitAccess)
    }
    if capabilities.contains(.discard) { flags.insert(.sendTrim) }
    if capabilities.contains(.writeZeroes) { flags.formUnion([.sendWriteZeroes, .sendFastZero]) }
    self.init(
      byteCount: limits.byteCount, minimumBlockByteCount: limits.blockByteCount,
      preferredBlockByteCount: limits.preferredByteCount, maximumPayloadByteCount: limits.maximumTransferByteCount,
      flags: flags)
  }
}

extension NBDExportDescription {
  init(_ export: Export) {
    self.init(
      name: export.name, description: export.configuration.description, limits: NBDExportLimits(export.limits))
  }
}
