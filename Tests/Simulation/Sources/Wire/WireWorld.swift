internal import BlockDevice

/// A whole world from one seed: the initiator as applications use it, from `MultipathBlockDevice` down to the system calls,
/// unchanged, on a simulated kernel, network and clock, against simulated controllers that speak NVMe/TCP.
///
/// ``run()`` plays faults for a while, heals everything, and waits until all is quiet. It throws a ``Violation`` when a read
/// finds what it cannot, a request ends twice or never, memory is touched that is not lent, either side breaks the
/// transport's rules, anything is left behind, or I/O does not flow again in time.
public final class WireWorld {
  private let seed: UInt64
  private let timeline: Timeline
  private let network: SimulatedNetwork
  private let store: SimulatedStore
  private var targets: [SimulatedTarget] = []
  private let home: Reactor
  private let io: Reactor
  private var controllers: [Controller] = []
  private var device: MultipathBlockDevice?
  private var channels: [BlockChannel] = []
  /// Closed, with requests that have not ended yet.
  private var leavingChannels: [BlockChannel] = []
  private var hasDeletedController = false
  private let requests: [WireRequest]
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private var busyBlocks: Set<Int> = []
  private var nextValue: UInt64 = 0
  private var report = SimulationReport()
  private var isHealing = false
  private var needsTurn = true
  private var stepsAtOneTime = 0
  private let keepAliveMilliseconds: UInt32
  private let longestThinkMilliseconds: Int
  /// Nothing is wrong, for a minute, but that one of several paths does no I/O.
  private let isHalfDead: Bool
  private let probationMilliseconds: ClosedRange<UInt32>
  /// I/O queues granted where all is well; one is not on every channel's reactor.
  private let grantedQueueCount: Int
  /// Requests that have taken as long as a command's time-out.
  private var stalledCount = 0

  private struct WeakController {
    weak let controller: Controller?
    init(_ controller: Controller) { self.controller = controller }
  }

  private static let requestCount = 8
  private static let faultMilliseconds: UInt64 = 7_000
  private static let halfDeadMilliseconds: UInt64 = 60_000
  private static let halfDeadTimeoutMilliseconds: UInt64 = 2000
  private static let longestQuiesceMilliseconds: UInt32 = 2500

  /// - Throws: a ``Violation`` where not even a world can be made: the process is out of descriptors.
  public init(seed: UInt64, bug: PlantedWireBug? = nil, isVerbose: Bool = false) throws(Violation) {
    self.seed = seed
    timeline = Timeline(seed: seed, isVerbose: isVerbose)
    network = SimulatedNetwork(timeline: timeline, bug: bug)
    store = SimulatedStore(timeline: timeline)
    do throws(RingError) {
      home = try Reactor(kernel: network)
      io = try Reactor(kernel: network)
    } catch {
      throw Violation(seed: seed, milliseconds: 0, text: "\(error)")
    }
    requests = (0..<Self.requestCount).map { _ in WireRequest() }
    completions = .allocate(capacity: 4)
    network.requests = requests
    keepAliveMilliseconds = UInt32(timeline.number(400...2000))
    longestThinkMilliseconds = timeline.pick([3, 10, 40])
    isHalfDead = timeline.chance(0.1)
    probationMilliseconds = isHalfDead ? 2000...60_000 : timeline.pick([1...1, 100...2000, 500...4000])
    grantedQueueCount = timeline.pick([64, 64, 64, 64, 1])
    makePaths(bug)
  }

  deinit { completions.deallocate() }

  private func makePaths(_ bug: PlantedWireBug?) {
    var multipath = MultipathConfiguration()
    if let policy = try? MultipathPolicy(pickSpread(), failsBackAutomatically: timeline.chance(0.7)) {
      multipath.policy = policy
    }
    multipath.probationDelayMilliseconds = bug == .probationsNotCounted ? 1...1 : probationMilliseconds
    if bug == .noFence { multipath.unknownWrites = .resendAtOnceRiskingCorruption }
    let nqn = "nqn.2026-01.test:simulated"
    let device = MultipathBlockDevice(
      subsystemNQN: nqn, namespaceIdentifier: SimulatedController.namespaceIdentifier, configuration: multipath,
      reactor: io.handle)
    self.device = device
    let usesBothReactors = timeline.chance(0.3)
    for place in 0..<timeline.number((isHalfDead ? 2 : 1)...3) {
      let target = SimulatedTarget(
        timeline: timeline, bug: bug, store: store, place: place, keepAliveMilliseconds: keepAliveMilliseconds)
      target.faults.grantedQueueCount = grantedQueueCount
      targets.append(target)
      network.targets[UInt16(4420 + place)] = target
      let controller = Controller(
        transport: TCPTransport(host: "192.0.2.1", port: UInt16(4420 + place), options: transportOptions()),
        configuration: configuration(nqn, usesBothReactors), home: home.handle,
        queueReactors: usesBothReactors ? [io.handle, home.handle] : [io.handle])
      controllers.append(controller)
      _ = try? device.addPath(controller, isPreferred: timeline.chance(0.2))
    }
    if let channel = try? device.openChannel(on: io, queueDepth: Self.requestCount) { channels.append(channel) }
    if usesBothReactors, let channel = try? device.openChannel(on: home, queueDepth: Self.requestCount) {
      channels.append(channel)
    }
  }

  private func pickSpread() -> MultipathPolicy.Spread {
    timeline.pick([
      .activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth), .activeActive(.latency),
    ])
  }

  private func transportOptions() -> TCPTransportOptions {
    var options = TCPTransportOptions()
    let digests = timeline.pick([(false, false), (true, true), (true, true), (true, false), (false, true)])
    options.headerDigest = digests.0
    options.dataDigest = digests.1
    options.receiveBufferByteCount = timeline.pick([4096, 16_384, 65_536])
    options.directReceiveThresholdByteCount = timeline.pick([4096, 4096, 8192])
    return options
  }

  private func configuration(_ nqn: String, _ usesBothReactors: Bool) -> ControllerConfiguration {
    var configuration = ControllerConfiguration(
      subsystemNQN: nqn, hostNQN: "nqn.2026-01.test:host", hostIdentifier: Identifier128(high: 1, low: 2))
    configuration.queueCount = usesBothReactors ? timeline.number(2...4) : timeline.number(1...3)
    configuration.queueDepth = timeline.pick([2, 4, 8, 32])
    configuration.keepAliveTimeoutMilliseconds = keepAliveMilliseconds
    configuration.connectTimeoutMilliseconds = UInt32(timeline.number(300...1500))
    configuration.adminTimeoutMilliseconds = UInt32(timeline.number(500...3000))
    configuration.ioTimeoutMilliseconds = UInt32(timeline.number(500...3000))
    configuration.shutdownTimeoutMilliseconds = UInt32(timeline.number(100...1000))
    configuration.timeoutAction = timeline.chance(0.5) ? .reset : .abort
    if isHalfDead {
      configuration.ioTimeoutMilliseconds = UInt32(Self.halfDeadTimeoutMilliseconds)
    }
    configuration.disablesSubmissionQueueFlowControl = timeline.chance(0.7)
    configuration.retriesFirstConnect = timeline.chance(0.7)
    let timers: [(Int64, Int64, Int64)] = [
      (100, -1, 0), (100, -1, 700), (300, 60_000, 0), (200, 60_000, 1500), (0, 0, 0),
    ]
    let choice = timeline.pick(timers)
    if let recovery = try? RecoveryTimers(
      reconnectDelayMilliseconds: choice.0, controllerLossTimeoutMilliseconds: choice.1,
      fastIOFailTimeoutMilliseconds: choice.2)
    {
      configuration.recovery = recovery
    }
    return configuration
  }

  // MARK: Running

  public func run() throws(Violation) -> SimulationReport {
    for controller in controllers { controller.connect() }
    issue()
    if isHalfDead {
      try playHalfDead()
    } else {
      scheduleFault()
      try play(until: timeline.now + Self.faultMilliseconds * Timeline.millisecond)
    }
    heal()
    // Within the longest fence, time-outs of every step, reconnect delays and probations everything has come to its end.
    let longestProbation = UInt64(probationMilliseconds.upperBound) * Timeline.millisecond
    try play(until: timeline.now + longestFence + longestProbation + 25_000 * Timeline.millisecond)
    try checkQuiet()
    try checkFlow()
    collectReport()
    try takeDown()
    return report
  }

  /// The longest time that a lost write may still be executed in.
  private var longestFence: UInt64 {
    let keepAlive = SimulatedTarget.rounded(keepAliveMilliseconds, to: SimulatedTarget.coarsestKeepAliveMilliseconds)
    return UInt64(3 * keepAlive + max(keepAlive, Self.longestQuiesceMilliseconds)) * Timeline.millisecond
  }

  private func play(until end: UInt64) throws(Violation) {
    while true {
      if needsTurn || network.hasNews { settle() }
      if let text = timeline.violation { throw violation(text) }
      let deadline = min(home.nextDeadlineNanoseconds ?? .max, io.nextDeadlineNanoseconds ?? .max)
      let next = min(timeline.nextTime ?? .max, max(deadline, timeline.now))
      guard next <= end else { return timeline.advance(to: end) }
      stepsAtOneTime = next <= timeline.now ? stepsAtOneTime + 1 : 0
      if stepsAtOneTime > 10_000 { throw violation("time does not pass: something spins") }
      timeline.advance(to: next)
      if deadline <= timeline.now { needsTurn = true }
    }
  }

  /// Turns both reactors, in any order, until they have nothing more to do.
  private func settle() {
    needsTurn = false
    var rounds = 0
    while true {
      network.hasNews = false
      let isHomeFirst = timeline.chance(0.5)
      var handled = (isHomeFirst ? home : io).turn(.none)
      handled += (isHomeFirst ? io : home).turn(.none)
      collect()
      if handled == 0 && !network.hasNews { return }
      rounds += 1
      if rounds > 10_000 { return timeline.violate("the reactors never come to rest") }
    }
  }

  /// A path whose controller answers everything but writes, or all I/O, costs the requests that are there the time-out when it
  /// falls silent, and then as often as it is given another chance: by a probe that it answers, after ever longer times.
  private func playHalfDead() throws(Violation) {
    try play(until: timeline.now + timeline.milliseconds(1...2000))
    targets[0].faults.ignoresWrites = true
    targets[0].faults.ignoresReads = timeline.chance(0.5)
    let duration = Self.halfDeadMilliseconds * Timeline.millisecond
    try play(until: timeline.now + duration)
    var chances: UInt64 = 1
    var delay = UInt64(probationMilliseconds.lowerBound) * Timeline.millisecond
    var time = delay
    while !targets[0].faults.ignoresReads, time <= duration {
      chances += 1
      delay = min(2 * delay, UInt64(probationMilliseconds.upperBound) * Timeline.millisecond)
      time += delay
    }
    let bound = Int(chances) * Self.requestCount
    if stalledCount > bound {
      throw violation("\(stalledCount) requests have waited for a path that does no I/O, not \(bound) at most")
    }
    report.halfDeadCount = 1
    report.stalledCount = stalledCount
  }

  private func violation(_ text: String) -> Violation {
    Violation(seed: seed, milliseconds: timeline.now / Timeline.millisecond, text: text)
  }

  // MARK: The application

  private func issue() {
    if isHealing { return }
    timeline.after(timeline.milliseconds(0...longestThinkMilliseconds)) { [unowned self] in issue() }
    for _ in 0..<timeline.pick([1, 1, 4]) { issueOne() }
  }

  private func issueOne() {
    guard let index = requests.firstIndex(where: { !$0.isOpen }) else { return }
    let count = timeline.pick([1, 2, 8, 16, 32, 32])
    let start = timeline.number(0...SimulatedStore.blockCount - count)
    begin(index, isWrite: timeline.chance(0.6), blocks: start..<start + count)
  }

  private func begin(_ index: Int, isWrite: Bool, blocks: Range<Int>) {
    guard busyBlocks.isDisjoint(with: blocks) else { return }
    let request = requests[index]
    if !request.isUntouched { timeline.violate("memory that is not lent has been touched") }
    if isWrite { nextValue += 1 }
    let blockRequest = request.open(
      isWrite: isWrite, blocks: blocks, value: nextValue, now: timeline.now,
      pieceByteCount: timeline.pick([0, 0, 512, 700, 5000]), token: UInt64(index))
    switch timeline.pick(channels).submit(blockRequest) {
    case .accepted:
      busyBlocks.formUnion(blocks)
      report.requestCount += 1
      needsTurn = true
    case .busy: timeline.violate("the channel is busy, though it has room")
    // Before the first path has been connected the device has no blocks.
    case .refused: request.close()
    }
  }

  private func collect() {
    for channel in channels + leavingChannels {
      while channel.hasCompletions {
        for completion in completions[..<channel.poll(into: completions)] { end(completion) }
      }
    }
    leavingChannels.removeAll { $0.outstandingCount == 0 }
  }

  private func end(_ completion: BlockCompletion) {
    let request = requests[Int(completion.token)]
    guard request.isOpen else { return timeline.violate("request \(completion.token) has ended twice") }
    timeline.note(UInt64(completion.outcome.rawValue) << 8 | completion.token)
    timeline.tell(
      "request \(completion.token), \(request.isWrite ? "write \(request.value)" : "read") of \(request.blocks): "
        + "\(completion.outcome), \(completion.status)")
    if !request.isUntouched { timeline.violate("memory beside a request has been touched") }
    let values = request.values
    if completion.outcome == .success { report.successCount += 1 }
    if timeline.now - request.issued >= Self.halfDeadTimeoutMilliseconds * Timeline.millisecond { stalledCount += 1 }
    if completion.outcome == .connectionLost { report.unknownCount += 1 }
    if completion.outcome == .notSent && request.isWrite { store.noteUnsent(request.value) }
    for (block, value) in zip(request.blocks, values) {
      if request.isWrite {
        if value != request.value { timeline.violate("a write's own memory has been changed") }
        endWrite(completion.outcome, request, block)
      } else if completion.outcome == .success {
        guard let value else { return timeline.violate("block \(block) reads as what was never written in one piece") }
        if !store.disk.mayRead(value, at: block) {
          timeline.violate("block \(block) reads \(value), not one of \(store.disk.expectation(at: block))")
        }
      }
    }
    busyBlocks.subtract(request.blocks)
    request.close()
  }

  private func endWrite(_ outcome: BlockOutcome, _ request: WireRequest, _ block: Int) {
    switch outcome {
    case .success: store.disk.acknowledged(request.value, at: block, issuedNanoseconds: request.issued)
    case .notSent: break
    case .connectionLost:
      store.disk.failed(request.value, at: block, untilNanoseconds: timeline.now + longestFence)
    default: store.disk.failed(request.value, at: block, untilNanoseconds: timeline.now)
    }
  }

  // MARK: Faults

  private func scheduleFault() {
    timeline.after(timeline.milliseconds(1...400)) { [unowned self] in
      if isHealing { return }
      let target = timeline.pick(targets)
      fault(target)
      timeline.tell("fault at \(target.transferExponent): \(target.faults)")
      scheduleFault()
    }
  }

  private func fault(_ target: SimulatedTarget) {
    switch timeline.number(0...47) {
    case 0, 1, 2: breakConnection(of: target)
    case 3: for connection in target.connections { connection.reset() }
    case 34, 35: for connection in target.connections { connection.resetHost() }
    case 4, 5: target.faults.isPartitioned = true
    case 6, 7, 8: target.endPartition()
    case 9, 10: restart(target)
    case 11, 12:
      target.setANAState(timeline.pick([.optimized, .nonOptimized, .inaccessible, .persistentLoss, .change]))
    case 13: target.setANAState(.optimized)
    case 14: target.setNamespace(isThere: !target.faults.hasNamespace)
    case 15: target.setNamespace(isThere: true)
    case 16: target.faults.networkDelayMilliseconds = timeline.pick([0, 0, 30, 3000])
    case 17: target.faults.ioDelayMilliseconds = timeline.pick([0, 0, 100, 8000])
    case 18: target.faults.adminDelayMilliseconds = timeline.pick([0, 0, 100, 6000])
    case 19: target.faults.errorProbability = timeline.pick([0, 0.3])
    case 20: target.faults.duplicateProbability = timeline.pick([0, 0, 0.05])
    case 21: target.faults.shortDataProbability = timeline.pick([0, 0.1])
    case 22: target.faults.corruptionProbability = timeline.pick([0, 0.002, 0.02])
    case 23: target.faults.isFatal = timeline.chance(0.3)
    case 24: target.faults.refusesConnections = timeline.chance(0.5)
    case 25: target.faults.refusesForGood = timeline.chance(0.2)
    case 26...33: mend(target)
    case 42: target.faults.isNotReady = timeline.chance(0.5)
    case 43...46: changeDevice()
    case 47: replaceChannel()
    case 40, 41:
      target.faults.ignoresWrites = true
      target.faults.ignoresReads = timeline.chance(0.5)
    default: wish(controllers[targets.firstIndex { $0 === target } ?? 0])
    }
  }

  /// At any byte, of either direction.
  private func breakConnection(of target: SimulatedTarget) {
    guard !target.connections.isEmpty else { return }
    let connection = timeline.pick(target.connections)
    let bytes = timeline.pick([0, timeline.number(0...200), timeline.number(0...20_000)])
    if timeline.chance(0.5) {
      connection.resetAfter(inboundBytes: bytes, outboundBytes: nil)
    } else {
      connection.resetAfter(inboundBytes: nil, outboundBytes: bytes)
    }
  }

  /// The controllers behind a port are gone; what comes back may be another one, or have fewer queues or other limits.
  private func restart(_ target: SimulatedTarget) {
    target.faults.grantedQueueCount = timeline.pick([64, 64, 1, 2])
    // Whichever namespace the device finds first is the one it goes by.
    target.faults.isStranger = timeline.chance(0.3) && device.map { $0.geometry.blockCount > 0 } == true
    target.inCapsuleByteCount = timeline.pick([0, 512, 4096, 8192])
    target.transferExponent = timeline.pick([0, 0, 1, 2])
    // Half of the time nobody tells the host.
    if timeline.chance(0.5) { for connection in target.connections { connection.reset() } }
    target.restart()
  }

  /// What an owner may ask for, at any moment.
  private func wish(_ controller: Controller) {
    needsTurn = true
    switch timeline.number(0...9) {
    case 0, 1, 2: Task(executorPreference: home.handle) { try? await controller.reset() }
    case 3: controller.shutdown()
    // The device is gone with its last path's controller.
    case 4 where timeline.chance(0.1) && controller !== controllers[0] && isPath(controllers[0]):
      hasDeletedController = true
      delete(controller)
    default: controller.connect()
    }
  }

  private func delete(_ controller: Controller) {
    Task(executorPreference: home.handle) { await controller.delete() }
    needsTurn = true
  }

  /// What the device's owner may do with its paths, at any moment.
  private func changeDevice() {
    guard let device else { return }
    needsTurn = true
    let paths = device.snapshot.paths
    switch timeline.number(0...5) {
    case 0, 1:
      let removable = hasDeletedController ? paths.filter { $0.controller !== controllers[0] } : paths
      if !removable.isEmpty { device.removePath(timeline.pick(removable).identifier) }
    case 2, 3: addMissingPaths()
    case 4: device.setPreferredPath(timeline.pick(paths.map(\.identifier) + [nil]))
    default: if let policy = try? MultipathPolicy(pickSpread()) { device.setPolicy(policy) }
    }
  }

  private func isPath(_ controller: Controller) -> Bool {
    device?.snapshot.paths.contains { $0.controller === controller } == true
  }

  private func addMissingPaths() {
    for controller in controllers where controller.snapshot.state != .deleted && !isPath(controller) {
      // One that presents another namespace now is refused.
      _ = try? device?.addPath(controller, isPreferred: timeline.chance(0.2))
    }
  }

  private func replaceChannel() {
    guard !channels.isEmpty else { return }
    let place = timeline.number(0...channels.count - 1)
    let old = channels[place]
    guard let new = try? device?.openChannel(on: old.reactor, queueDepth: Self.requestCount) else { return }
    channels[place] = new
    old.close()
    leavingChannels.append(old)
    needsTurn = true
  }

  /// All is well with a target again.
  private func mend(_ target: SimulatedTarget) {
    let wasAltered =
      target.faults.isStranger || target.faults.isFatal || target.faults.grantedQueueCount != grantedQueueCount
    target.setANAState(.optimized)
    target.setNamespace(isThere: true)
    target.faults = TargetFaults()
    target.faults.grantedQueueCount = grantedQueueCount
    target.endPartition()
    for connection in target.connections { connection.resetAfter(inboundBytes: nil, outboundBytes: nil) }
    if wasAltered {
      for connection in target.connections { connection.reset() }
      target.restart()
    }
  }

  /// All faults end, and controllers that have been given up are asked to try again.
  private func heal() {
    isHealing = true
    for target in targets { mend(target) }
    for delay in [0, 3000, 8000] as [UInt64] {
      timeline.after(delay * Timeline.millisecond) { [unowned self] in
        for controller in controllers { controller.connect() }
        addMissingPaths()
        needsTurn = true
      }
    }
  }

  // MARK: At the end

  private func checkQuiet() throws(Violation) {
    for (place, controller) in controllers.enumerated() {
      let snapshot = controller.snapshot
      if snapshot.state != .enabled && snapshot.state != .deleted {
        let reason = snapshot.recovery.lastAttemptFailure ?? snapshot.recovery.lastLossReason
        throw violation(
          "controller \(place) is \(snapshot.state) long after all is well: \(reason.map { "\($0)" } ?? "")")
      }
      guard snapshot.state == .enabled else { continue }
      for queue in controller.ioQueues.prefix(snapshot.queueCount) {
        guard let queuePair = queue.queuePair else {
          throw violation("controller \(place) is enabled, but queue \(queue.identifier) has no connection")
        }
        let (free, depth) = queuePair._withUnsafeGuaranteedRef { ($0.freeCommandCount, $0.parameters.depth) }
        if free != depth { throw violation("queue \(queue.identifier) has \(free) of \(depth) commands left, idle") }
      }
    }
    if let index = requests.firstIndex(where: { $0.isOpen }) { throw violation("request \(index) has never ended") }
    if requests.contains(where: { !$0.isUntouched }) { throw violation("memory that is not lent has been touched") }
    if let path = device?.snapshot.paths.first(where: { $0.isOnProbation && $0.isAccessible }) {
      throw violation("the path \(path.address) is on probation long after all is well")
    }
    if let held = device?.snapshot.statistics.heldCount, held != 0 {
      throw violation("\(held) requests are held for ever")
    }
  }

  /// I/O flows again: each block is read, written, and read.
  private func checkFlow() throws(Violation) {
    for isWrite in [false, true, false] {
      for start in stride(from: 0, to: SimulatedStore.blockCount, by: WireRequest.blockCapacity) {
        let before = report.successCount
        begin(0, isWrite: isWrite, blocks: start..<start + WireRequest.blockCapacity)
        for _ in 0..<40 where requests[0].isOpen { try play(until: timeline.now + 50 * Timeline.millisecond) }
        if requests[0].isOpen { throw violation("I/O does not flow again") }
        if report.successCount == before {
          let paths = device?.snapshot.paths.map { "\($0.state), \($0.availability)" } ?? []
          throw violation("I/O fails long after all is well: \(paths)")
        }
      }
    }
  }

  private func collectReport() {
    report.statistics = device?.snapshot.statistics ?? MultipathStatistics()
    for controller in controllers {
      report.lossCount += controller.snapshot.recovery.lossCount
      report.reconnectCount += controller.snapshot.recovery.reconnectCount
    }
    for target in targets { report = report + target.report }
  }

  /// Everything goes, and nothing may be left.
  private func takeDown() throws(Violation) {
    for channel in channels { channel.close() }
    for controller in controllers { delete(controller) }
    try play(until: timeline.now + 10_000 * Timeline.millisecond)
    channels = []
    weak let lastDevice = device
    let lastControllers = controllers.map { WeakController($0) }
    device = nil
    controllers = []
    try play(until: timeline.now + 100 * Timeline.millisecond)
    if home.sourceCount + io.sourceCount != 0 {
      throw violation("\(home.sourceCount) and \(io.sourceCount) sources are left on the reactors")
    }
    if network.openSocketCount != 0 { throw violation("\(network.openSocketCount) sockets are left open") }
    if lastDevice != nil { throw violation("the device is left in memory") }
    if lastControllers.contains(where: { $0.controller != nil }) { throw violation("a controller is left in memory") }
    report.trace = timeline.trace
    timeline.end()
    for target in targets { target.end() }
  }
}
