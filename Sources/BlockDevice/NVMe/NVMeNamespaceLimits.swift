internal import NVMeHost
internal import NVMeProtocol

/// A namespace's size and limits in the form a channel works with.
struct NVMeNamespaceLimits: Sendable, Hashable {
  var namespaceIdentifier: UInt32
  var geometry: BlockGeometry
  var capabilities: BlockCapabilities
  /// Most blocks of one read, write or compare.
  var maximumTransferBlockCount: UInt32
  /// Most blocks of one write zeroes.
  var maximumZeroesBlockCount: UInt32
  /// Most blocks of one verify.
  var maximumVerifyBlockCount: UInt32
  /// Most blocks of one dataset management command, which has one range.
  var maximumDiscardBlockCount: UInt32
  /// Write zeroes may ask for blocks to be deallocated.
  var deallocatesZeroes: Bool
  var isGone = false

  /// Bytes one request may have; a request's length in bytes must fit 32 bits.
  private static let maximumRequestByteCount: UInt32 = 1 << 30

  /// - Parameter hostLimitByteCount: the host's own limit of one command's transfer.
  init(_ namespace: NamespaceInformation, _ snapshot: Controller.Snapshot, hostLimitByteCount: Int) {
    namespaceIdentifier = namespace.identifier
    deallocatesZeroes = namespace.deallocatesZeroes
    let blockByteCount = namespace.blockByteCount
    let transferByteCount = min(
      snapshot.maximumTransferByteCount ?? 1 << 30, max(4096, min(hostLimitByteCount, 1 << 30)))
    // NLB is zeroes based and has 16 bits.
    maximumTransferBlockCount = max(1, min(UInt32(transferByteCount) / blockByteCount, 65_536))
    // MDTS is no limit of commands that move no data, but a good guess where the controller names none.
    let guess = snapshot.maximumTransferByteCount == nil ? 65_536 : maximumTransferBlockCount
    let limits = snapshot.commandSetLimits ?? NVMCommandSetController()
    func blockCount(_ exponent: UInt8) -> UInt32 {
      let byteCount = NVMCommandSetController.limitBytes(
        exponent: exponent, minimumPageBytes: snapshot.capabilities.minimumPageBytes)
      return byteCount.map { UInt32(max(1, min($0 / Int(blockByteCount), 65_536))) } ?? guess
    }
    maximumZeroesBlockCount = blockCount(limits.writeZeroesSizeLimit)
    maximumVerifyBlockCount = blockCount(limits.verifySizeLimit)
    // DMRSL and DMSL; 0 is no limit.
    maximumDiscardBlockCount = .max
    if limits.datasetManagementRangeSizeLimit > 0 { maximumDiscardBlockCount = limits.datasetManagementRangeSizeLimit }
    if limits.datasetManagementSizeLimit > 0 {
      maximumDiscardBlockCount = min(maximumDiscardBlockCount, UInt32(clamping: limits.datasetManagementSizeLimit))
    }
    geometry = BlockGeometry(
      blockByteCount: blockByteCount, blockCount: namespace.blockCount,
      maximumRequestByteCount: Self.maximumRequestByteCount / blockByteCount * blockByteCount,
      optimalBoundaryBlockCount: namespace.optimalBoundaryBlockCount,
      maximumTransferByteCount: maximumTransferBlockCount * blockByteCount)
    capabilities = [.forceUnitAccess]
    if !namespace.isWriteProtected { capabilities.insert(.write) }
    guard let identification = snapshot.identification else { return }
    if identification.hasVolatileWriteCache { capabilities.insert(.volatileWriteCache) }
    let commands = identification.optionalIOCommands
    if commands.contains(.compare) { capabilities.insert(.compare) }
    if commands.contains(.verify) { capabilities.insert(.verify) }
    if !namespace.isWriteProtected {
      if commands.contains(.datasetManagement) { capabilities.insert(.discard) }
      if commands.contains(.writeZeroes) { capabilities.insert(.writeZeroes) }
    }
  }
}
