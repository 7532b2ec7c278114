public import NVMeProtocol

/// Why a discovery log could not be read.
public enum DiscoveryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Get Log Page was refused.
  case refused(StatusField)
  case malformed(DecodingError)
  /// RECFMT is one that we do not know.
  case unknownRecordFormat(UInt16)
  case tooManyRecords(count: UInt64, limit: Int)
  /// The log changed under our hands again and again.
  case keepsChanging(attempts: Int)
  /// The discovery controller could not be connected, or was lost.
  case controller(ControllerError)

  public var description: String {
    switch self {
    case .refused(let status): "the discovery log could not be read: \(status)"
    case .malformed(let error): "the discovery log is malformed: \(error)"
    case .unknownRecordFormat(let format):
      "the discovery log has record format \(format), only 0 is known; is there a newer version of this program?"
    case .tooManyRecords(let count, let limit):
      "the discovery log claims to have \(count) records, at most \(limit) are read; look at the discovery service"
    case .keepsChanging(let attempts):
      "the discovery log changed while it was read, \(attempts) times running; try again later"
    case .controller(let error): error.description
    }
  }
}
