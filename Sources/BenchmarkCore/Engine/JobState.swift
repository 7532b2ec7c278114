/// Where a job stands, for the status line.
public enum JobState: UInt8, Sendable {
  case notStarted
  case initializing
  case ramping
  case running
  case flushing
  case verifying
  case finishing
  case finished
  case failed
}
