/// What a Connect command's completion says (NVMe Base 2.1, section 6.3, figures 547 and 548).
public enum ConnectResponse: Hashable, Sendable {
  /// - Parameters:
  ///   - authenticationRequired: AUTHREQ.ATR or .ASCR: in-band authentication has to follow.
  case connected(controllerIdentifier: UInt16, authenticationRequired: Bool)
  /// The field at `offset` of the command or of the Connect data was not accepted: IPO and IATTR.
  case invalidParameter(offset: UInt16, inData: Bool, status: StatusField)
  case refused(StatusField)

  public init(_ completion: CompletionQueueEntry) {
    if completion.status.isSuccess {
      self = .connected(
        controllerIdentifier: UInt16(truncatingIfNeeded: completion.dword0),
        authenticationRequired: completion.dword0 >> 17 & 0b11 != 0)
    } else if completion.status.matches(.connectInvalidParameters) {
      self = .invalidParameter(
        offset: UInt16(truncatingIfNeeded: completion.dword0), inData: completion.dword0 & 1 << 16 != 0,
        status: completion.status)
    } else {
      self = .refused(completion.status)
    }
  }

  /// Dword 0 of the completion.
  public var dword0: UInt32 {
    switch self {
    case .connected(let controllerIdentifier, let authenticationRequired):
      UInt32(controllerIdentifier) | (authenticationRequired ? 1 << 17 : 0)
    case .invalidParameter(let offset, let inData, _): UInt32(offset) | (inData ? 1 << 16 : 0)
    case .refused: 0
    }
  }

  /// The field of the Connect command or data that starts at or holds the given offset, by its name in the
  /// specification.
  public static func fieldName(offset: UInt16, inData: Bool) -> String {
    if inData {
      return switch offset {
      case 0..<16: "HOSTID"
      case 16..<18: "CNTLID"
      case 256..<512: "SUBNQN"
      case 512..<768: "HOSTNQN"
      default: "byte \(offset) of the data"
      }
    }
    return switch offset {
    case 40..<42: "RECFMT"
    case 42..<44: "QID"
    case 44..<46: "SQSIZE"
    case 46: "CATTR"
    case 48..<52: "KATO"
    default: "byte \(offset) of the command"
    }
  }
}
