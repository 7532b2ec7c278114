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
      let reactor = try Reactor(
        submissionEntries: 256, completionEntries: 4096, waitPolicy: Self.waitPolicy(setup.options.waitStyle))
      var attached: [AttachedDevice] = []
      defer { for connection in attached { connection.detach(reactor) } }
      for _ in 0..<setup.options.connectionCount { attached.append(try attach(reactor, setup)) }
      for note in attached.flatMap(\.notes) {
        laterNotes.withLock { if !$0.contains(note) { $0.append(note) } }
      }
      watchPaths(of: attached, setup.progress)
      defer { setup.progress.setPathReporter(nil) }
      let devices = attached.map(\.device)
      try checkCapabilities(devices[0], setup.options)
      var outcome = try run(setup, gate: gate, devices, reactor)
      outcome.statistics.paths = setup.progress.pathReport()
      return outcome
    } catch let failure as JobFailure {
      return JobOutcome(failure: failure, failureCount: 1)
    } catch {
      return JobOutcome(failure: JobFailure(.setup, "\(name): \(error)"), failureCount: 1)
    }
  }

  private func run(
    _ setup: JobSetup, gate: some JobGate, _ devices: [any BlockDevice], _ reactor: Reactor
  ) throws -> JobOutcome {
    let depth = Int(setup.options.depth)
    switch setup.options.engine {
    case .poll:
      var channels: [BlockChannel] = []
      defer { close(channels, reactor) }
      for device in devices { channels.append(try device.openChannel(on: reactor, queueDepth: depth)) }
      guard passes(gate, reactor) else { return JobOutcome() }
      func channel(_ index: Int) -> BlockDeviceChannel {
        BlockDeviceChannel(
          reactor: reactor, channel: channels[index], deviceName: devices[index].name, blockByteCount: blockByteCount)
      }
      guard channels.count > 1 else {
        // The usual case pays nothing for the other.
        var runner = JobRunner(setup: setup, channel: channel(0), clock: SystemClock())
        return runner.run()
      }
      var runner = JobRunner(
        setup: setup, channel: BlockDeviceChannelGroup(reactor: reactor, count: channels.count, make: channel),
        clock: SystemClock())
      return runner.run()
    case .async:
      guard passes(gate, reactor) else { return JobOutcome() }
      let views = devices.map { ReactorView($0, reactor: reactor.handle) }
      var runner = JobRunner(setup: setup, clock: SystemClock()) {
        AsyncDeviceChannel(reactor: reactor, devices: views, blockByteCount: blockByteCount, load: $0)
      }
      return runner.run()
    }
  }

  /// Lets the status line and reports see what becomes of the paths of a job's connections.
  private func watchPaths(of attached: [AttachedDevice], _ progress: JobProgress) {
    let reporters = attached.compactMap(\.pathReport)
    guard !reporters.isEmpty else { return }
    progress.setPathReporter {
      var sum = PathReport()
      for reporter in reporters { sum.merge(reporter()) }
      return sum
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

  private static func waitPolicy(_ style: WaitStyle) -> WaitPolicy {
    switch style {
    case .adaptive: .adaptive
    case .event: .eventDriven
    case .busy: .busyPolling
    }
  }

  private func close(_ channels: [BlockChannel], _ reactor: Reactor) {
    for channel in channels { channel.close() }
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
