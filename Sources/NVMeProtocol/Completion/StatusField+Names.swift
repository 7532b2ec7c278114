/// Names of status codes, as the specifications write them.
extension StatusField {
  /// What kind of command completed: command-specific codes from 80h on mean different things for fabrics and for
  /// I/O commands.
  public enum CommandKind: Sendable {
    case fabrics
    case adminOrIO
  }

  /// The status code's name. A command-specific code with two meanings is given both; `name(for:)` knows better.
  public var name: String {
    guard statusCodeType == .commandSpecific else { return name(for: .adminOrIO) }
    let io = StatusCodeNames.commandSpecific(statusCode)
    let fabrics = StatusCodeNames.fabrics(statusCode)
    return switch (io, fabrics) {
    case (let io?, let fabrics?): "\(io), or of a fabrics command \(fabrics)"
    case (let known?, nil), (nil, let known?): known
    case (nil, nil): unknownName
    }
  }

  /// The status code's name when the kind of the command is known.
  public func name(for kind: CommandKind) -> String {
    let known: String? =
      switch statusCodeType {
      case .generic: StatusCodeNames.generic(statusCode)
      case .commandSpecific:
        switch kind {
        case .fabrics: StatusCodeNames.fabrics(statusCode) ?? StatusCodeNames.commandSpecific(statusCode)
        case .adminOrIO: StatusCodeNames.commandSpecific(statusCode) ?? StatusCodeNames.fabrics(statusCode)
        }
      case .mediaAndDataIntegrity: StatusCodeNames.media(statusCode)
      case .pathRelated: StatusCodeNames.path(statusCode)
      default: nil
      }
    return known ?? unknownName
  }

  private var unknownName: String {
    // C0h to FFh are vendor specific in every status code type (NVMe Base 2.1, figures 102 to 106).
    if statusCodeType == .vendorSpecific || statusCode >= 0xC0 { return "Vendor Specific Status" }
    return "Unknown Status"
  }
}
