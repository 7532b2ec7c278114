/// Waits until `condition` holds, a minute at most: far longer than anything here takes.
///
/// - Throws: ``NeverHappened`` after that minute, and whatever `condition` throws.
public func eventually(
  isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
  let end = ContinuousClock.now + .seconds(60)
  while try await !condition() {
    guard ContinuousClock.now < end else { throw NeverHappened() }
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// What a test waits for has not come within a minute.
public struct NeverHappened: Error {
  public init() {}
}
