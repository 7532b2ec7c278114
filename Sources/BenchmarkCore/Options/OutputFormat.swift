/// How results are written.
public enum OutputFormat: String, CaseIterable, Sendable {
  /// fio's text for people.
  case normal
  case json
  /// JSON with the latency histograms' bins.
  case jsonPlus = "json+"
  /// fio's line for scripts, version 3.
  case terse
  /// One line a job: IOPS, bandwidth, percentiles, processor time.
  case summary
}
