import BlockDevice

extension TargetIdentifier {
  /// The subsystem or namespace that a place on the command line names; nil for a text that is not meant as a target.
  ///
  /// - Throws: ``ToolError`` of kind usage for something that is meant as a target, but is none.
  static func ofPlace(_ text: String) throws(ToolError) -> TargetIdentifier? {
    guard isMeant(by: text) else { return nil }
    do throws(TargetIdentifierError) {
      let target = try TargetIdentifier(parsing: text)
      guard !target.isDiscovery else {
        throw TargetIdentifierError(
          text: text, part: "", problem: "the subsystem's NQN is missing",
          advice: "\"nvmeof list -a \(target.host) -s \(target.port)\" shows what there is")
      }
      return target
    } catch { throw .usage("\(error)") }
  }
}
