/// What a case works with.
public struct ConformanceContext: Sendable {
  public let target: ConformanceTarget
  /// Changes the target; nil for a stranger's target.
  public let control: (any TargetControl)?
  /// Where the case writes what it finds worth telling.
  public let notes: ConformanceNotes

  public init(
    target: ConformanceTarget, control: (any TargetControl)? = nil, notes: ConformanceNotes = ConformanceNotes()
  ) {
    self.target = target
    self.control = control
    self.notes = notes
  }

  /// The control that a case with ``ConformanceNeeds/control`` was promised.
  func requireControl() throws(ConformanceSkip) -> any TargetControl {
    guard let control else { throw ConformanceSkip("needs a way to change the target") }
    return control
  }

  /// The namespace of cases that need only one.
  var firstNamespace: UInt32 { target.namespaceIdentifiers.first ?? 1 }
}
