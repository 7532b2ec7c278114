/// A command line, taken apart but not yet interpreted.
public struct BenchmarkInvocation: Sendable {
  public enum Help: Sendable, Equatable {
    case usage
    /// One option, or all.
    case command(String)
    case version
  }

  /// Where jobs come from, in order.
  public enum Source: Sendable, Equatable {
    case file(path: String)
    case section(JobSection)
  }

  public var sources: [Source] = []
  /// Job options before the first `--name`: for every job, and stronger than what job files say.
  public var common: [GivenOption] = []
  public var help: Help?
  /// nil is standard output.
  public var outputPath: String?
  public var formats: [OutputFormat] = [.normal]
  public var progress = ProgressDisplay.auto
  /// A new line instead of overwriting the old, each so many nanoseconds; 0 is never.
  public var progressNewLineInterval: UInt64 = 0
  /// Full reports while running, each so many nanoseconds; 0 is never.
  public var statusInterval: UInt64 = 0
  public var parseOnly = false
  public var showCommand = false
  /// Refuse jobs that write or trim.
  public var isReadOnly = false
  /// Only these sections of job files; empty is all.
  public var onlySections: Set<String> = []

  public init() {}
}
