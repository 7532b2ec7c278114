/// How a case ended.
public enum ConformanceOutcome: Sendable, Hashable {
  case passed
  case failed(String)
  case skipped(String)
}
