internal import BlockDevice
internal import Synchronization

/// Benchmarks a block device: every job has its own thread, reactor and channel.
final class BlockDeviceBenchmark: BenchmarkDevice {
  /// Attaches the device to a job's reactor, on the job's thread; may take some time.
  typealias Attach = @Sendable (Reactor, JobSetup) throws -> AttachedDevice

  let name: String
  let capacityBytes: UInt64
  let blockByteCount: UInt32
  private let fixedNotes: [String]
  private let laterNotes = Mutex<[String]>([])
  private let attach: Attach
  private let whenClosed: @Sendable () -> Void

  init(
    name: String, geometry: BlockGeometry, notes: [String] = [], whenClosed: @escaping @Sendable () -> Void = {},
    attach: @escaping Attach
  ) {
    self.name = name
    capacityBytes = geometry.byteCount
    blockByteCount = geometry.blockByteCount
    fixedNotes = notes
    self.whenClosed = whenClosed
    self.attach = attach
  }

  var notes: [String] { fixedNotes + laterNotes.withLock { $0 } }
  func close() { whenClosed() }

  func run(_ setup: JobSetup, gate: some JobGate) -> JobOutcome {
    do {
      let reactor = try Reactor(submissionEntries: 256, completionEntries: 4096)
      let attached = try attach(reactor, setup)
      defer { attached.detach(reactor) }
      if let note = attached.note {
        laterNotes.withLock { if !$0.contains(note) { $0.append(note) } }
      }
      try checkCapabilities(attached.device, setup.options)
      let depth = Int(setup.options.depth)
      switch setup.options.engine {
      case .poll:
        let channel = try attached.device.openChannel(on: reactor, queueDepth: depth)
        defer { close(channel, reactor) }
        guard passes(gate, reactor) else { return JobOutcome() }
        var runner = JobRunner(
          setup: setup,
          channel: BlockDeviceChannel(
            reactor: reactor, channel: channel, deviceName: attached.device.name, blockByteCount: blockByteCount),
          clock: SystemClock())
        return runner.run()
      case .async:
        guard passes(gate, reactor) else { return JobOutcome() }
        let view = ReactorView(attached.device, reactor: reactor.handle)
        var runner = JobRunner(
          setup: setup, channel: AsyncDeviceChannel(reactor: reactor, device: view, depth: depth),
          clock: SystemClock())
        return runner.run()
      }
    } catch let failure as JobFailure {
      return JobOutcome(failure: failure, failureCount: 1)
    } catch {
      return JobOutcome(failure: JobFailure(.setup, "\(name): \(error)"), failureCount: 1)
    }
  }

  /// Keeps the reactor turning at the gate, so that keep alives go on.
  private func passes(_ gate: some JobGate, _ reactor: Reactor) -> Bool {
    gate.announceReady()
    while true {
      switch gate.decision {
      case .start: return true
      case .giveUp: return false
      case .wait: reactor.turn(.atMost(nanoseconds: 1_000_000))
      }
    }
  }

  private func close(_ channel: BlockChannel, _ reactor: Reactor) {
    channel.close()
    // What is still outstanding holds the channel; the connection's end, in `detach`, ends it.
    reactor.turn(.none)
  }

  private func checkCapabilities(_ device: any BlockDevice, _ options: JobOptions) throws(JobFailure) {
    let capabilities = device.capabilities
    func need(_ capability: BlockCapabilities, _ what: String) throws(JobFailure) {
      guard !capabilities.contains(capability) else { return }
      throw JobFailure(.setup, "job '\(options.name)': \(device.name) \(what)")
    }
    if options.pattern.includes(.write), !options.verifyOnly { try need(.write, "is read-only") }
    if options.pattern.includes(.trim) { try need(.discard, "cannot discard (trim)") }
    if options.forceUnitAccess { try need(.forceUnitAccess, "has no force unit access (sync=…)") }
  }
}
