/// Why a request fails: the error number for programs, and a text for people where replies can carry one.
public enum NBDFailure: UInt8, Sendable, Hashable, CaseIterable {
  case readOnly
  case writeBeyondEnd
  case readBeyondEnd
  case misaligned
  case zeroLength
  case payloadTooLarge
  case readTooLarge
  case rangeTooLarge
  case unknownCommand
  case unknownFlags
  case notNegotiated
  case reservedFields
  case unexpectedPayload
  case shutdown
  case deviceGone
  case deviceError
  case deviceFull
  case deviceReadOnly
  case connectionLost
  case damagedData
  case notFast

  public var error: NBDError {
    switch self {
    case .readOnly, .deviceReadOnly: .notPermitted
    case .writeBeyondEnd, .deviceFull: .noSpace
    case .readBeyondEnd, .misaligned, .zeroLength, .payloadTooLarge, .unknownCommand, .unknownFlags, .notNegotiated,
      .reservedFields, .unexpectedPayload:
      .invalid
    case .readTooLarge, .rangeTooLarge: .overflow
    case .shutdown, .deviceGone: .shutdown
    case .deviceError, .connectionLost, .damagedData: .inputOutput
    case .notFast: .notSupported
    }
  }

  /// Static, so that a reply can point at it.
  public var text: StaticString {
    switch self {
    case .readOnly: "the export is read-only"
    case .writeBeyondEnd, .readBeyondEnd: "the range reaches beyond the end of the export"
    case .misaligned: "offset or length is not a multiple of the export's minimum block size"
    case .zeroLength: "the length is zero"
    case .payloadTooLarge, .readTooLarge: "the length is more than the export's maximum payload size"
    case .rangeTooLarge: "the length is more than the export can do in one request"
    case .unknownCommand: "the command is not supported"
    case .unknownFlags: "a command flag is not supported for this command"
    case .notNegotiated: "no metadata context has been negotiated"
    case .reservedFields: "offset and length of a flush are zero"
    case .unexpectedPayload: "the command takes no payload"
    case .shutdown: "the export is being shut down"
    case .deviceGone: "the export's device is gone"
    case .deviceError: "the device reports an error"
    case .deviceFull: "the device has no room left"
    case .deviceReadOnly: "the device is write protected"
    case .connectionLost: "the connection to the device was lost"
    case .damagedData: "the data was damaged on its way from the device"
    case .notFast: "the device writes zeroes no faster than other data"
    }
  }
}
