/// How results are written.
public enum OutputFormat: String, CaseIterable, Sendable {
  /// fio's text for people.
  case normal
  case json
  /// JSON with the latency histograms' bins.
  case jsonPlus = "json+"
  /// One line a job: IOPS, bandwidth, percentiles, processor time.
  case summary
}
