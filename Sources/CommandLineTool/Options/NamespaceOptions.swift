import ArgumentParser

/// Which namespace of the target.
struct NamespaceOptions: ParsableArguments {
  @Option(
    name: [.customLong("namespace-id"), .customLong("nsid")],
    help: ArgumentHelp("The namespace (default: the target's nsid=, or the only one there is)", valueName: "nsid"))
  var identifier: UInt32?

  func validate() throws {
    if identifier == 0 || identifier == .max { throw ValidationError("--namespace-id is 1 to 4294967294") }
  }
}
