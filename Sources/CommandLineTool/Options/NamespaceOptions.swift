import ArgumentParser

/// Which namespace of the target.
struct NamespaceOptions: ParsableArguments {
  @Option(
    name: [.customLong("namespace-id"), .customLong("nsid")],
    help: ArgumentHelp("The namespace (default: the target's nsid=, or the only one there is)", valueName: "nsid"),
    transform: { try NamespaceOptions.number($0) })
  var identifier: UInt32?

  /// Decimal, or hexadecimal as lists show it.
  static func number(_ text: String) throws -> UInt32 {
    let value = text.lowercased().hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
    guard let value else { throw ValidationError("--namespace-id is a number, such as 1 or 0x1, not \"\(text)\"") }
    return value
  }

  func validate() throws {
    if identifier == 0 || identifier == .max { throw ValidationError("--namespace-id is 1 to 4294967294") }
  }
}
