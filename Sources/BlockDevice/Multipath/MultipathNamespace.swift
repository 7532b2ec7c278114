internal import NVMeHost
internal import NVMeProtocol

/// The namespace that a multipath device's paths present: which one it is, and what they all have in common of it.
struct MultipathNamespace {
  /// As the first path presented it; all others must present the same.
  var identity: NamespaceInformation? { didSet { Revision.mark() } }
  private(set) var geometry = BlockGeometry(blockByteCount: 512, blockCount: 0) { didSet { Revision.mark() } }
  private(set) var capabilities: BlockCapabilities = [] { didSet { Revision.mark() } }

  init(identity: NamespaceInformation?) { self.identity = identity }

  /// How `other` shows that it is another namespace; nil when it is this one, or none is known yet.
  func difference(from other: NamespaceInformation) -> String? {
    guard let identity else { return nil }
    if identity.nguid != other.nguid {
      return "NGUID \(other.nguid.hexadecimalString), not \(identity.nguid.hexadecimalString)"
    }
    if identity.eui64 != other.eui64 {
      return "EUI64 \(String(other.eui64, radix: 16)), not \(String(identity.eui64, radix: 16))"
    }
    if identity.uuid != other.uuid { return "UUID \(other.uuid), not \(identity.uuid)" }
    if identity.commandSetIdentifier != other.commandSetIdentifier {
      return "command set \(other.commandSetIdentifier.rawValue), not \(identity.commandSetIdentifier.rawValue)"
    }
    if identity.blockByteCount != other.blockByteCount {
      return "blocks of \(other.blockByteCount) bytes, not \(identity.blockByteCount)"
    }
    if identity.nguid.isZero && identity.eui64 == 0 && identity.uuid.isZero {
      return "without NGUID, EUI64 and UUID: whether it is the same one cannot be told"
    }
    return nil
  }

  /// Takes size and capabilities that all paths have in common; those of paths that are lost count for as long as nothing
  /// else is known.
  ///
  /// - Returns: whether they have changed.
  mutating func reshape(_ paths: [MultipathPath?]) -> Bool {
    var all = paths.compactMap { $0?.availability.isUsable == true ? $0?.limits : nil }
    if all.isEmpty { all = paths.compactMap { $0?.limits } }
    guard let first = all.first else { return false }
    var geometry = first.geometry
    var capabilities = first.capabilities
    for limits in all.dropFirst() {
      let other = limits.geometry
      geometry.blockCount = min(geometry.blockCount, other.blockCount)
      geometry.maximumRequestByteCount = min(geometry.maximumRequestByteCount, other.maximumRequestByteCount)
      geometry.maximumTransferByteCount = min(geometry.maximumTransferByteCount, other.maximumTransferByteCount)
      // Whatever might be cached on some path is worth a flush.
      capabilities = capabilities.intersection(limits.capabilities)
        .union(capabilities.union(limits.capabilities).intersection(.volatileWriteCache))
    }
    guard geometry != self.geometry || capabilities != self.capabilities else { return false }
    self.geometry = geometry
    self.capabilities = capabilities
    return true
  }
}
