internal import NVMeHost
internal import NVMeProtocol
internal import RingReactor

/// The channel of a ``MultipathBlockDevice``: carries out what its ``MultipathEngine`` decides, over one channel a path.
///
/// A request's number in the engine is its token on the path. A path's channel is as deep as this one, hence never busy.
final class MultipathChannel: BlockChannel {
  private struct Path {
    /// What requests are submitted to.
    var channel: BlockChannel?
    /// The same, or what is behind the counting.
    var inner: BlockChannel?
    var device: NVMeBlockDevice?
    var association: UInt64 = 0
  }

  private struct State: ~Copyable {
    var engine: MultipathEngine
    var geometry: BlockGeometry
    var capabilities: BlockCapabilities
    /// As they go to the paths: a request's token is its number.
    let requests: UnsafeMutablePointer<BlockRequest>
    /// The callers' tokens.
    let tokens: UnsafeMutablePointer<UInt64>
    let freeSlots: UnsafeMutablePointer<UInt16>
    var freeCount: Int
    /// The channels of `paths`, as the path of a request uses them: borrowed from there.
    let channels: UnsafeMutablePointer<Unmanaged<BlockChannel>?>
    /// Channels are polled up to this place.
    var pathCount = 0
    var reported = MultipathStatistics()
    var isRetired = false
  }

  private let state: UnsafeMutablePointer<State>
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private weak let device: MultipathBlockDevice?
  let report = MultipathReport()
  private var paths: [Path]
  /// Channels of paths that are gone or have got another one; they still end what they have.
  private var leaving: [BlockChannel] = []

  init(
    reactor: Reactor, queueDepth: Int, device: MultipathBlockDevice, configuration: MultipathEngine.Configuration,
    geometry: BlockGeometry, capabilities: BlockCapabilities
  ) {
    self.device = device
    let requests = UnsafeMutablePointer<BlockRequest>.allocate(capacity: queueDepth)
    requests.initialize(repeating: BlockRequest(.flush), count: queueDepth)
    let tokens = UnsafeMutablePointer<UInt64>.allocate(capacity: queueDepth)
    tokens.initialize(repeating: 0, count: queueDepth)
    let freeSlots = UnsafeMutablePointer<UInt16>.allocate(capacity: queueDepth)
    for index in 0..<queueDepth { (freeSlots + index).initialize(to: UInt16(queueDepth - 1 - index)) }
    let channels = UnsafeMutablePointer<Unmanaged<BlockChannel>?>.allocate(capacity: PathSelector.maximumPathCount)
    channels.initialize(repeating: nil, count: PathSelector.maximumPathCount)
    state = .allocate(capacity: 1)
    state.initialize(
      to: State(
        engine: MultipathEngine(configuration: configuration, capacity: queueDepth), geometry: geometry,
        capabilities: capabilities, requests: requests, tokens: tokens, freeSlots: freeSlots, freeCount: queueDepth,
        channels: channels))
    completions = .allocate(capacity: 64)
    paths = Array(repeating: Path(), count: PathSelector.maximumPathCount)
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  deinit {
    state.pointee.requests.deallocate()
    state.pointee.tokens.deallocate()
    state.pointee.freeSlots.deallocate()
    state.pointee.channels.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
    completions.deallocate()
  }

  override var geometry: BlockGeometry { state.pointee.geometry }
  override var capabilities: BlockCapabilities { state.pointee.capabilities }

  // MARK: Each request

  override func start(_ request: BlockRequest) {
    // The base class takes no more than `queueDepth` requests, so a slot is always free.
    state.pointee.freeCount -= 1
    let index = Int(state.pointee.freeSlots[state.pointee.freeCount])
    state.pointee.requests[index] = request
    state.pointee.requests[index].token = UInt64(index)
    state.pointee.tokens[index] = request.token
    let decision = state.pointee.engine.admit(
      index, isModifying: request.operation.modifies, nowNanoseconds: nowNanoseconds)
    carryOut(decision, index)
    if case .submit = decision { return }
    // Held or failed within `submit`: there is a deadline to keep, or something to poll.
    markReady()
  }

  private func carryOut(_ first: MultipathDecision, _ index: Int) {
    var decision = first
    while true {
      switch decision {
      case .submit(let path):
        let request = state.pointee.requests + index
        let submission =
          state.pointee.channels[path].map { $0._withUnsafeGuaranteedRef { $0.submit(request.pointee) } }
          ?? .refused(.closed)
        switch submission {
        case .accepted: return
        case .busy, .refused:
          // The path has gone, and the news of it is under way; or the namespace has changed since the request was taken.
          let completion = BlockCompletion.refused(request.pointee, submission)
          decision = state.pointee.engine.completed(
            index, outcome: completion.outcome, status: completion.status, nowNanoseconds: nowNanoseconds)
        }
      case .hold: return
      case .finish:
        end(index, .success, .success)
        return
      case .fail(let outcome, let status):
        end(index, outcome, status)
        return
      }
    }
  }

  private func end(_ index: Int, _ outcome: BlockOutcome, _ status: StatusField) {
    let request = state.pointee.requests + index
    state.pointee.freeSlots[state.pointee.freeCount] = UInt16(index)
    state.pointee.freeCount += 1
    finish(
      BlockCompletion(
        token: state.pointee.tokens[index], operation: request.pointee.operation,
        logicalBlockAddress: request.pointee.logicalBlockAddress, blockCount: request.pointee.blockCount,
        outcome: outcome, status: status))
  }

  /// Requests have ended on their paths.
  override func run() {
    for path in 0..<state.pointee.pathCount {
      guard let channel = state.pointee.channels[path] else { continue }
      channel._withUnsafeGuaranteedRef { collect($0) }
    }
    if !leaving.isEmpty { collectLeaving() }
    tidyUp()
  }

  private func collect(_ channel: BlockChannel) {
    let now = nowNanoseconds
    while channel.hasCompletions {
      let count = channel.poll(into: completions)
      for place in 0..<count {
        let completion = completions.baseAddress! + place
        let index = Int(completion.pointee.token)
        if completion.pointee.outcome != .success { note(completion.pointee) }
        let decision = state.pointee.engine.completed(
          index, outcome: completion.pointee.outcome, status: completion.pointee.status, nowNanoseconds: now)
        if decision == .finish {
          end(index, .success, completion.pointee.status)
        } else {
          carryOut(decision, index)
        }
      }
    }
  }

  // Not inlined: what is rare has no place on the way of an I/O.
  @inline(never) private func note(_ completion: BlockCompletion) {
    if completion.outcome == .deviceError || completion.outcome == .dataDigestError {
      report.count(status: completion.status.rawValue)
    }
  }

  private func collectLeaving() {
    for channel in leaving { collect(channel) }
    leaving.removeAll { $0.outstandingCount == 0 }
  }

  /// What follows from failures, once a turn.
  private func tidyUp() {
    if state.pointee.engine.pathsWantingAccessRefresh != 0 {
      device?.refreshAccess(state.pointee.engine.pathsWantingAccessRefresh)
      state.pointee.engine.pathsWantingAccessRefresh = 0
    }
    reactor.setDeadline(state.pointee.engine.nextDeadlineNanoseconds, of: self)
    if state.pointee.engine.statistics != state.pointee.reported {
      state.pointee.reported = state.pointee.engine.statistics
      report.set(state.pointee.reported)
    }
    if isClosed { retireIfDone() }
  }

  override func deadlineExpired() { release() }

  /// Held requests whose time or path has come are sent; those that wait in vain fail.
  private func release() {
    state.pointee.engine.beginRelease()
    while let next = state.pointee.engine.nextReleased(nowNanoseconds: nowNanoseconds) {
      carryOut(next.decision, next.index)
    }
    tidyUp()
  }

  // MARK: Paths

  /// News of a path. `device` is its namespace; nil while there is none. `meter` counts what goes there.
  func update(_ path: Int, _ device: NVMeBlockDevice?, _ news: MultipathPathUpdate, _ meter: MeterCore?) {
    // Once closed it opens no more channels: nobody would close them.
    guard !isClosed, !state.pointee.isRetired else { return }
    var news = news
    if news.availability.isUsable, let device, !open(path, device, news, meter) {
      // Its namespace has just gone.
      news.availability = .unavailable(.namespaceMissing)
    }
    state.pointee.engine.update(path, news)
    release()
  }

  /// Sees to it that the path has a channel that works.
  private func open(_ path: Int, _ device: NVMeBlockDevice, _ news: MultipathPathUpdate, _ meter: MeterCore?) -> Bool {
    let association = news.association
    if let channel = paths[path].channel {
      // After a reconnect the controller may have fewer queues: the channel's may not be among them. Or more: then requests
      // need not be forwarded any longer.
      let isTheSame = paths[path].device === device && !channel.isClosed
      let isConnected =
        association == paths[path].association || (paths[path].inner as? NVMeChannel)?.isConnected == true
      paths[path].association = association
      if isTheSame && isConnected { return true }
      drop(path)
    }
    guard let inner = makeChannel(device, news.controllerAssociation) else { return false }
    let channel = meter.map { MeteredChannel(reactor: reactor, inner: inner, core: $0) } ?? inner
    channel.setObserver(self)
    paths[path] = Path(channel: channel, inner: inner, device: device, association: association)
    state.pointee.channels[path] = .passUnretained(channel)
    state.pointee.pathCount = max(state.pointee.pathCount, path + 1)
    return true
  }

  private func makeChannel(_ device: NVMeBlockDevice, _ controllerAssociation: UInt64) -> BlockChannel? {
    do throws(BlockRefusal) {
      return try device.openChannel(on: reactor, queueDepth: queueDepth)
    } catch {
      guard error == .noQueueOnReactor, let far = device.leastUsedQueueReactor else { return nil }
      return ForwardingChannel(
        reactor: reactor, queueDepth: queueDepth, device: device, association: controllerAssociation, far: far)
    }
  }

  private func drop(_ path: Int) {
    guard let channel = paths[path].channel else { return }
    leaving.append(channel)
    channel.close()
    paths[path] = Path()
    state.pointee.channels[path] = nil
  }

  func remove(_ path: Int) {
    guard !state.pointee.isRetired else { return }
    state.pointee.engine.remove(path)
    drop(path)
    release()
    markReady()
  }

  func quiesced(_ path: Int, association: UInt64) {
    state.pointee.engine.quiesced(path, association: association)
    release()
  }

  func setLocal(_ isLocal: Bool, _ path: Int) { state.pointee.engine.setLocal(isLocal, path) }
  func setPreferred(_ path: Int?) { state.pointee.engine.setPreferred(path) }

  func take(_ policy: MultipathPolicy) {
    state.pointee.engine.take(policy)
    release()
  }

  func setShape(_ geometry: BlockGeometry, _ capabilities: BlockCapabilities) {
    state.pointee.geometry = geometry
    state.pointee.capabilities = capabilities
  }

  // MARK: The end

  /// Requests outstanding still end as they can; those that are held fail now.
  override func didClose() {
    // All paths, those without a channel, too: a request that is lost from now on must not wait for one to come.
    for path in 0..<PathSelector.maximumPathCount {
      state.pointee.engine.remove(path)
      // Before anything may retire this channel: the paths' channels observe it, and would keep it for ever.
      drop(path)
    }
    release()
    markReady()
  }

  private func retireIfDone() {
    guard !state.pointee.isRetired, state.pointee.freeCount == queueDepth, leaving.isEmpty else { return }
    state.pointee.isRetired = true
    reactor.setDeadline(nil, of: self)
    retire()
  }
}
