/// The end of one case.
public struct ConformanceResult: Sendable {
  public let identifier: String
  public let title: String
  public let outcome: ConformanceOutcome
  public let duration: Duration
  /// What the case found worth telling (sizes, limits, statuses), one line each.
  public let notes: [String]
  /// What the target does other than the specification asks, in ways that hosts can live with.
  public let deviations: [String]

  public init(
    identifier: String, title: String, outcome: ConformanceOutcome, duration: Duration, notes: [String] = [],
    deviations: [String] = []
  ) {
    self.identifier = identifier
    self.title = title
    self.outcome = outcome
    self.duration = duration
    self.notes = notes
    self.deviations = deviations
  }

  public var isFailure: Bool {
    if case .failed = outcome { return true }
    return false
  }

  /// The duration in seconds.
  var seconds: Double { Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18 }
}
