import Synchronization

/// Collects what a case finds worth telling. May be used from any thread.
public final class ConformanceNotes: Sendable {
  private static let mostLines = 200
  private let lines = Mutex<[String]>([])
  private let deviationLines = Mutex<[String]>([])

  public init() {}

  /// Adds a line; from the 200th on they are dropped.
  public func add(_ line: String) {
    lines.withLock { if $0.count < Self.mostLines { $0.append(line) } }
  }

  /// Adds something the target does other than the specification asks, in a way that hosts can live with.
  public func deviation(_ line: String) {
    deviationLines.withLock { if $0.count < Self.mostLines { $0.append(line) } }
  }

  var all: [String] { lines.withLock { $0 } }
  var deviations: [String] { deviationLines.withLock { $0 } }
}
