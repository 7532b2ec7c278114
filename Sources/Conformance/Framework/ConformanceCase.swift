/// One thing a target must do, and how to find out whether it does.
public struct ConformanceCase: Sendable, CustomStringConvertible {
  /// A stable name for reports and for choosing cases: group, full stop, name.
  public let identifier: String
  /// What must hold, as one sentence without a full stop.
  public let title: String
  public let needs: ConformanceNeeds
  /// How long the case may take.
  public let deadline: Duration
  /// Throws ``ConformanceFailure`` when the target does not conform, ``ConformanceSkip`` when the target turns out not
  /// to have what the case is about; any other error is a failure as well.
  public let body: @Sendable (ConformanceContext) async throws -> Void

  public init(
    _ identifier: String, _ title: String, needs: ConformanceNeeds = [], deadline: Duration = .seconds(60),
    body: @escaping @Sendable (ConformanceContext) async throws -> Void
  ) {
    self.identifier = identifier
    self.title = title
    self.needs = needs
    self.deadline = deadline
    self.body = body
  }

  public var description: String { identifier }
}
