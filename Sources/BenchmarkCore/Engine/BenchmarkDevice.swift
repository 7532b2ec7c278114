/// Something to benchmark: a block device, opened once and shared by the jobs that name it.
public protocol BenchmarkDevice: AnyObject, Sendable {
  /// For reports.
  var name: String { get }
  var capacityBytes: UInt64 { get }
  /// Bytes of a logical block.
  var blockByteCount: UInt32 { get }
  /// What readers of the result must know, such as an embedded target; empty if nothing.
  var notes: [String] { get }

  /// Runs a job on the calling thread, over a channel of its own: opens the channel, announces that at the gate, waits
  /// there, and runs.
  func run(_ setup: JobSetup, gate: some JobGate) -> JobOutcome

  /// Gives back what the device holds. No job runs any more.
  func close()
}
