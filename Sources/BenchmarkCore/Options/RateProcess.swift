/// fio's `rate_process`: how the moments at which I/Os should start are spread.
public enum RateProcess: String, CaseIterable, Sendable {
  /// Evenly.
  case linear
  /// With exponentially distributed gaps, as independent requests arrive.
  case poisson
}
