@testable import BenchmarkCore

extension ReportEntry {
  /// Of a job that took a second.
  init(_ name: String, _ options: JobOptions, _ outcome: JobOutcome, group: Int = 0) {
    self.init(
      name: name, groupIdentifier: group, options: options, outcome: outcome, endSeconds: 0, elapsedSeconds: 1)
  }
}
