public import NVMeProtocol

/// The end of one request.
@frozen public struct BlockCompletion: Sendable, Hashable {
  /// The request's token.
  public var token: UInt64
  public var logicalBlockAddress: UInt64
  public var blockCount: UInt32
  /// The NVMe status; for ``BlockOutcome/systemError`` the `errno` in its raw value.
  public var status: StatusField
  public var operation: BlockOperation
  public var outcome: BlockOutcome

  @inlinable public init(
    token: UInt64, operation: BlockOperation, logicalBlockAddress: UInt64, blockCount: UInt32, outcome: BlockOutcome,
    status: StatusField
  ) {
    self.token = token
    self.operation = operation
    self.logicalBlockAddress = logicalBlockAddress
    self.blockCount = blockCount
    self.outcome = outcome
    self.status = status
  }

  @inlinable public var isSuccess: Bool { outcome == .success }

  /// The failure as an error for people; nil on success.
  ///
  /// - Parameter device: the device's name, for the text; asked for on failure alone.
  public func error(device: @autoclosure () -> String) -> BlockError? {
    guard outcome != .success else { return nil }
    return BlockError(
      device: device(), operation: operation, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount,
      cause: .failed(outcome, status))
  }
}
