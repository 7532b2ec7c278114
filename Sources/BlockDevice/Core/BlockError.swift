internal import Glibc
public import NVMeProtocol

/// A failed request: what was asked of which device, where, what went wrong, and what to do about it.
public struct BlockError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Cause: Sendable, Hashable {
    /// Refused before it went anywhere.
    case refused(BlockRefusal)
    /// Carried out, or tried, with this outcome and NVMe status.
    case failed(BlockOutcome, StatusField)
  }

  public var device: String
  public var operation: BlockOperation
  public var logicalBlockAddress: UInt64
  public var blockCount: UInt32
  public var cause: Cause

  public init(
    device: String, operation: BlockOperation, logicalBlockAddress: UInt64, blockCount: UInt32, cause: Cause
  ) {
    self.device = device
    self.operation = operation
    self.logicalBlockAddress = logicalBlockAddress
    self.blockCount = blockCount
    self.cause = cause
  }

  /// The NVMe status, where the device gave one.
  public var status: StatusField? {
    if case .failed(let outcome, let status) = cause, outcome != .systemError { return status }
    return nil
  }

  /// True when the device may have carried the request out although it failed here.
  public var isOutcomeUnknown: Bool {
    if case .failed(.connectionLost, _) = cause { return true }
    return false
  }

  /// What to do about it.
  public var advice: String {
    switch cause {
    case .refused(.outOfRange): "keep requests within the device's size; it may have been made smaller"
    case .refused(.zeroLength): "ask for at least one block"
    case .refused(.lengthMismatch): "give memory of exactly blockCount × block size bytes"
    case .refused(.tooLarge): "split the request to the geometry's maximumRequestByteCount"
    case .refused(.misaligned): "use offsets and lengths that are multiples of the block size"
    case .refused(.unsupported): "look at the device's capabilities first"
    case .refused(.readOnly): "the device is write protected or was opened read-only"
    case .refused(.closed): "the device is gone for good, its reactor has ended, or the channel was closed: open anew"
    case .refused(.noQueueOnReactor):
      "give the controller this reactor among its queueReactors, and open channels once it is ready"
    case .failed(.compareMismatch, _): "the device's content differs from what was expected"
    case .failed(.dataDigestError, _): "the data was damaged on its way: try again, and look at the network"
    case .failed(.shortData, _): "the target breaks the protocol: it reported success without all data"
    case .failed(.connectionLost, _):
      operation.modifies
        ? "whether the blocks were changed is unknown: read them back, or write them again, once the device is back"
        : "try again once the device is back"
    case .failed(.notSent, _): "nothing was sent: try again once the device is back"
    case .failed(.systemError, _): "look at the file system underneath"
    case .failed(_, let status):
      status.doNotRetry ? "the controller says that trying again is of no use" : "the request may be tried again"
    }
  }

  public var description: String {
    let what: String
    switch cause {
    case .refused(let refusal):
      switch refusal {
      case .outOfRange: what = "refused: beyond the end of the device"
      case .zeroLength: what = "refused: no blocks asked for"
      case .lengthMismatch: what = "refused: the memory's length differs from the blocks'"
      case .tooLarge: what = "refused: larger than one request may be"
      case .misaligned: what = "refused: not aligned to the block size"
      case .unsupported: what = "refused: the device cannot do this"
      case .readOnly: what = "refused: the device is read-only"
      case .closed: what = "refused: the device or its channel is closed"
      case .noQueueOnReactor: what = "refused: the controller has no I/O queue in use on this reactor"
      }
    case .failed(.systemError, let status): what = "failed: \(String(cString: strerror(Int32(status.rawValue))))"
    case .failed(.dataDigestError, let status): what = "failed: data digest error (\(status))"
    case .failed(.shortData, let status): what = "failed: too little data (\(status))"
    case .failed(.connectionLost, _): what = "failed: the connection was lost"
    case .failed(.notSent, _): what = "failed: not sent, as the device or its connection was gone"
    case .failed(_, let status): what = "failed: \(status)"
    }
    let (last, overflow) = logicalBlockAddress.addingReportingOverflow(UInt64(max(blockCount, 1)) - 1)
    let place = operation == .flush ? "" : " of blocks \(logicalBlockAddress)…\(overflow ? .max : last)"
    return "\(operation)\(place) on \(device) \(what); \(advice)"
  }
}
