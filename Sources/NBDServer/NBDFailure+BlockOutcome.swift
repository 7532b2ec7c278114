internal import BlockDevice
internal import Glibc
internal import NBDProtocol
internal import NVMeProtocol

extension NBDFailure {
  /// What a client is told of a request that the device has not carried out; nil for one that it has.
  init?(_ completion: BlockCompletion) {
    switch completion.outcome {
    case .success: return nil
    case .deviceError: self.init(status: completion.status, operation: completion.operation)
    case .systemError:
      switch Int32(completion.status.rawValue) {
      case ENOSPC, EDQUOT, EFBIG: self = .deviceFull
      case EPERM, EACCES, EROFS: self = .deviceReadOnly
      case EOPNOTSUPP where completion.operation == .writeZeroes: self = .notFast
      default: self = .deviceError
      }
    case .connectionLost, .notSent: self = .connectionLost
    case .dataDigestError, .shortData: self = .damagedData
    case .compareMismatch: self = .deviceError
    }
  }

  private init(status: StatusField, operation: BlockOperation) {
    // Attempted Write to Read Only Range (NVM Command Set 1.1, figure 15)
    let readOnlyRange = StatusField(.commandSpecific, 0x82)
    if status.matches(.lbaOutOfRange) {
      self = operation.modifies ? .writeBeyondEnd : .readBeyondEnd
    } else if status.matches(.capacityExceeded) {
      self = .deviceFull
    } else if status.matches(.namespaceIsWriteProtected) || status.matches(readOnlyRange) {
      self = .deviceReadOnly
    } else {
      self = .deviceError
    }
  }

  /// What a client is told of a request that the channel does not take.
  init(_ refusal: BlockRefusal, operation: BlockOperation) {
    switch refusal {
    // The export has been made smaller a moment ago.
    case .outOfRange: self = operation.modifies ? .writeBeyondEnd : .readBeyondEnd
    case .readOnly: self = .deviceReadOnly
    case .closed, .noQueueOnReactor: self = .deviceGone
    case .tooLarge: self = .payloadTooLarge
    case .zeroLength: self = .zeroLength
    case .misaligned, .lengthMismatch: self = .misaligned
    case .unsupported: self = .unknownCommand
    }
  }
}
