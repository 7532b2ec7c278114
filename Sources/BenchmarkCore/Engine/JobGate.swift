/// Holds a job back until all jobs of its round have opened their channels.
public protocol JobGate {
  /// The channel is open.
  func announceReady()
  /// Whether to go on waiting, to start, or to give up.
  var decision: JobGateDecision { get }
}
