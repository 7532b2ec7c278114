/// Why a job did not do what it should. The first one is kept; any makes the run fail.
public struct JobFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// The device could not be opened, or is too small for the job.
    case setup
    /// An I/O failed.
    case io
    /// Blocks read back differ.
    case verify
    /// An I/O took longer than max_latency or latency_target, or did not come back at all.
    case timeout
  }

  public var kind: Kind
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The errno that fio reports for the like: EINVAL, EIO, EILSEQ, ETIMEDOUT.
  public var code: Int {
    switch kind {
    case .setup: 22
    case .io: 5
    case .verify: 84
    case .timeout: 110
    }
  }

  public var description: String { message }
}
