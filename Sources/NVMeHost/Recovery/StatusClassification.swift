public import NVMeProtocol

/// The one table that says what a status means for retrying.
///
/// Do Not Retry comes before everything: the command would fail through any controller of the subsystem (NVMe Base 2.1,
/// "Status Field Definition"). A status that is not in the table goes by its type's last row.
public enum StatusClassification {
  public struct Row: Sendable, Hashable {
    public var type: StatusCodeType
    /// The codes the row is about.
    public var codes: ClosedRange<UInt8>
    public var disposition: RetryDisposition
    public var why: String
  }

  /// First match counts.
  public static let table: [Row] = [
    // Path Related Status: nothing is wrong with the command, this way to the namespace is.
    row(.pathRelated, 0x00...0xFF, .retryOnAnotherPath, "the path failed, not the command"),

    // Generic Command Status.
    row(.generic, 0x04, .retryHere, "Data Transfer Error: the transfer may succeed next time"),
    row(.generic, 0x05, .retryOnAnotherPath, "Commands Aborted due to Power Loss Notification"),
    row(.generic, 0x06, .retryHere, "Internal Error without Do Not Retry may pass"),
    row(.generic, 0x07, .retryHere, "Command Abort Requested: it was aborted, not refused"),
    row(.generic, 0x08, .retryOnAnotherPath, "Command Aborted due to SQ Deletion: the queue went away"),
    row(.generic, 0x19, .retryOnAnotherPath, "Keep Alive Timer Expired: the controller ends the association"),
    row(.generic, 0x1D, .retryHere, "Sanitize In Progress passes"),
    row(.generic, 0x21, .retryHere, "Command Interrupted asks to be sent again"),
    row(.generic, 0x22, .retryHere, "Transient Transport Error: a digest was wrong"),
    row(.generic, 0x24, .retryHere, "Admin Command Media Not Ready passes"),
    row(.generic, 0x82, .retryHere, "Namespace Not Ready passes"),
    row(.generic, 0x84, .retryHere, "Format In Progress passes"),
    row(.generic, 0x00...0x7F, .fail, "the command itself is at fault"),
    row(.generic, 0x80...0xBF, .fail, "the command itself is at fault"),
    row(.generic, 0xC0...0xFF, .retryHere, "vendor specific, and not said to be of no use"),

    // Command Specific Status.
    row(.commandSpecific, 0x38, .retryHere, "Not Enough Resources may pass"),
    row(.commandSpecific, 0x89, .retryHere, "Insufficient Resources may pass"),
    row(.commandSpecific, 0x00...0xBF, .fail, "the command itself is at fault"),
    row(.commandSpecific, 0xC0...0xFF, .retryHere, "vendor specific, and not said to be of no use"),

    // Media and Data Integrity Errors.
    row(.mediaAndDataIntegrity, 0x80, .retryHere, "Write Fault without Do Not Retry may pass"),
    row(.mediaAndDataIntegrity, 0x81, .retryHere, "Unrecovered Read Error without Do Not Retry may pass"),
    row(.mediaAndDataIntegrity, 0x00...0xBF, .fail, "the data is what it is"),
    row(.mediaAndDataIntegrity, 0xC0...0xFF, .retryHere, "vendor specific, and not said to be of no use"),

    row(.vendorSpecific, 0x00...0xFF, .retryHere, "vendor specific, and not said to be of no use"),
  ]

  private static func row(
    _ type: StatusCodeType, _ codes: ClosedRange<UInt8>, _ disposition: RetryDisposition, _ why: String
  ) -> Row { Row(type: type, codes: codes, disposition: disposition, why: why) }

  private static func row(
    _ type: StatusCodeType, _ code: UInt8, _ disposition: RetryDisposition, _ why: String
  ) -> Row { Row(type: type, codes: code...code, disposition: disposition, why: why) }

  /// What is to be done with a command that the controller answered with `status`, which is not a success.
  public static func disposition(of status: StatusField) -> RetryDisposition {
    if status.doNotRetry { return .fail }
    let match = table.first { $0.type == status.statusCodeType && $0.codes.contains(status.statusCode) }
    // Reserved status code types: nobody knows what the controller means.
    return match?.disposition ?? .fail
  }

  /// How long to wait before the retry, in milliseconds: CRD 1 to 3 stand for CRDT1 to CRDT3, in units of 100 ms; 0 and
  /// times that the controller does not give are no wait.
  ///
  /// - Parameter commandRetryDelayTimes: CRDT1 to CRDT3 of Identify Controller.
  public static func retryDelayMilliseconds(of status: StatusField, commandRetryDelayTimes: [UInt16]) -> Int {
    let code = Int(status.commandRetryDelay)
    guard code > 0, code <= commandRetryDelayTimes.count else { return 0 }
    return Int(commandRetryDelayTimes[code - 1]) * 100
  }
}
