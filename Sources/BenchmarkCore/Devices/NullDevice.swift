/// A device that does nothing, for measuring the generator itself ("null:SIZE"): what it costs is what every other
/// figure contains.
public final class NullDevice: BenchmarkDevice {
  public let capacityBytes: UInt64
  public let blockByteCount: UInt32 = 512

  public init(capacityBytes: UInt64) {
    self.capacityBytes = capacityBytes / 512 * 512
  }

  public var name: String { "null:\(capacityBytes)" }
  public var notes: [String] { ["null: no I/O is done; the figures are this tool's own cost"] }
  public func close() {}

  public func run(_ setup: JobSetup, gate: some JobGate) -> JobOutcome {
    gate.announceReady()
    while gate.decision == .wait { SystemClock().sleep(nanoseconds: 1_000_000) }
    guard gate.decision == .start else { return JobOutcome() }
    var runner = JobRunner(
      setup: setup, channel: NullChannel(depth: Int(setup.options.totalDepth)), clock: SystemClock())
    return runner.run()
  }
}
