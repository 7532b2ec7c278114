internal import NVMeProtocol
internal import RingReactor

/// The channel of a ``MeteredBlockDevice``, in front of a channel of the device that is measured.
///
/// A request's number in the table here is its token on the inner channel, which is as deep as this one, hence never busy.
final class MeteredChannel: BlockChannel {
  private struct Slot {
    var token: UInt64 = 0
    var startNanoseconds: UInt64 = 0
  }

  /// Requests that wait for their turn under a rate limit, first in, first out; made with the first of them.
  private struct Waiting {
    let requests: UnsafeMutablePointer<BlockRequest>
    let order: UnsafeMutablePointer<UInt16>
    var head = 0
  }

  private struct State {
    /// Retained by `innerReference`.
    var inner: Unmanaged<BlockChannel>
    var core: Unmanaged<MeterCore>
    var meter: Unmanaged<BlockMeter>
    let slots: UnsafeMutablePointer<Slot>
    let freeSlots: UnsafeMutablePointer<UInt16>
    var freeCount: Int
    /// Of a block's bytes; ``unknownShift`` while the device has no blocks yet.
    var blockByteShift: UInt64
    /// Retained here.
    var histogram: Unmanaged<BlockHistogram>?
    var waiting: Waiting?
    var waitingCount = 0
    var isRetired = false
  }

  private let state: UnsafeMutablePointer<State>
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private let innerReference: BlockChannel
  private let core: MeterCore
  private let meter: BlockMeter

  init(reactor: Reactor, inner: BlockChannel, core: MeterCore) {
    innerReference = inner
    self.core = core
    meter = BlockMeter(reactor: reactor.handle)
    let depth = inner.queueDepth
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: depth)
    slots.initialize(repeating: Slot(), count: depth)
    let freeSlots = UnsafeMutablePointer<UInt16>.allocate(capacity: depth)
    for index in 0..<depth { (freeSlots + index).initialize(to: UInt16(depth - 1 - index)) }
    completions = .allocate(capacity: 64)
    state = .allocate(capacity: 1)
    state.initialize(
      to: State(
        inner: .passUnretained(inner), core: .passUnretained(core), meter: .passUnretained(meter), slots: slots,
        freeSlots: freeSlots, freeCount: depth, blockByteShift: Self.unknownShift))
    super.init(reactor: reactor, queueDepth: depth)
    learnBlockSize()
    take(core.enter(self, meter))
    inner.setObserver(self)
    // The device may have gone already, with nobody there to be told.
    if inner.isClosed { markReady() }
  }

  deinit {
    if !state.pointee.isRetired { core.leave(meter) }
    state.pointee.histogram?.release()
    state.pointee.slots.deallocate()
    state.pointee.freeSlots.deallocate()
    state.pointee.waiting?.requests.deallocate()
    state.pointee.waiting?.order.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
    completions.deallocate()
  }

  override var geometry: BlockGeometry { state.pointee.inner._withUnsafeGuaranteedRef { $0.geometry } }
  override var capabilities: BlockCapabilities { state.pointee.inner._withUnsafeGuaranteedRef { $0.capabilities } }

  // MARK: Each request

  override func start(_ request: BlockRequest) {
    // The base class takes no more than `queueDepth` requests, so a slot is always free.
    state.pointee.freeCount &-= 1
    if state.pointee.blockByteShift == Self.unknownShift { learnBlockSize() }
    let index = Int(state.pointee.freeSlots[state.pointee.freeCount])
    let now = readClock()
    state.pointee.slots[index] = Slot(token: request.token, startNanoseconds: now)
    noteOutstanding()
    var inner = request
    inner.token = UInt64(index)
    if state.pointee.waitingCount > 0 || state.pointee.core._withUnsafeGuaranteedRef({ $0.limiter.isActive }) {
      startUnderLimits(inner, now)
    } else {
      pass(inner)
    }
  }

  /// More than any 32-bit count has bits.
  private static let unknownShift: UInt64 = 64

  /// A multipath device that has had no path yet has no blocks, and takes no request but flushes.
  @inline(never) private func learnBlockSize() {
    let geometry = geometry
    if geometry.blockCount > 0 { state.pointee.blockByteShift = UInt64(geometry.blockByteCount.trailingZeroBitCount) }
  }

  private func noteOutstanding() {
    let count = queueDepth &- state.pointee.freeCount
    state.pointee.meter._withUnsafeGuaranteedRef { $0.setOutstanding(count) }
  }

  /// Hands a request to the device.
  private func pass(_ request: BlockRequest) {
    let submission = state.pointee.inner._withUnsafeGuaranteedRef { $0.submit(request) }
    if submission != .accepted { refused(request, submission) }
  }

  // Not inlined: what is rare has no place on the way of an I/O.
  @inline(never) private func refused(_ request: BlockRequest, _ submission: BlockSubmission) {
    end(.refused(request, submission), nowNanoseconds: readClock())
    markReady()
  }

  /// Requests have ended at the device.
  override func run() {
    collect()
    if state.pointee.waitingCount > 0 { release() }
    if state.pointee.inner._withUnsafeGuaranteedRef({ $0.isClosed }) { innerClosed() }
  }

  private func collect() {
    var now: UInt64 = 0
    while state.pointee.inner._withUnsafeGuaranteedRef({ $0.hasCompletions }) {
      // Once for all that is there.
      if now == 0 { now = readClock() }
      let count = state.pointee.inner._withUnsafeGuaranteedRef { $0.poll(into: completions) }
      for place in 0..<count { end(completions[place], nowNanoseconds: now) }
    }
  }

  /// Counts a request that has ended and reports it.
  private func end(_ completion: BlockCompletion, nowNanoseconds: UInt64) {
    let index = Int(completion.token)
    let slot = state.pointee.slots[index]
    state.pointee.freeSlots[state.pointee.freeCount] = UInt16(truncatingIfNeeded: index)
    state.pointee.freeCount &+= 1
    noteOutstanding()
    if completion.outcome == .success {
      let latency = nowNanoseconds &- slot.startNanoseconds
      let byteCount = completion.operation == .flush ? 0 : UInt64(completion.blockCount) << state.pointee.blockByteShift
      let epoch = state.pointee.core._withUnsafeGuaranteedRef { $0.epoch }
      state.pointee.meter._withUnsafeGuaranteedRef {
        $0.count(completion.operation, byteCount: byteCount, latencyNanoseconds: latency, epoch: epoch)
      }
      if let histogram = state.pointee.histogram {
        histogram._withUnsafeGuaranteedRef { $0.count(completion.operation, latencyNanoseconds: latency) }
      }
    } else {
      failed(completion)
    }
    var report = completion
    report.token = slot.token
    finish(report)
  }

  @inline(never) private func failed(_ completion: BlockCompletion) {
    let status = completion.status.rawValue
    meter.count(
      BlockStatistics.Failure(
        outcome: completion.outcome, status: completion.outcome == .systemError ? status : status & 0x7FF))
  }

  // MARK: Rate limits

  @inline(never) private func startUnderLimits(_ request: BlockRequest, _ now: UInt64) {
    // First come, first served; but what is not limited does not wait.
    if !request.operation.hasData || state.pointee.waitingCount == 0 && admit(request, now) == now {
      pass(request)
    } else {
      wait(request)
      markReady()
    }
  }

  private func admit(_ request: BlockRequest, _ now: UInt64) -> UInt64 {
    core.limiter.admit(
      request.operation, byteCount: UInt64(request.blockCount) << state.pointee.blockByteShift, now: now)
  }

  private func wait(_ request: BlockRequest) {
    if state.pointee.waiting == nil {
      let requests = UnsafeMutablePointer<BlockRequest>.allocate(capacity: queueDepth)
      let order = UnsafeMutablePointer<UInt16>.allocate(capacity: queueDepth)
      requests.initialize(repeating: BlockRequest(.flush), count: queueDepth)
      order.initialize(repeating: 0, count: queueDepth)
      state.pointee.waiting = Waiting(requests: requests, order: order)
    }
    let index = Int(request.token)
    let waiting = state.pointee.waiting!
    waiting.requests[index] = request
    waiting.order[(waiting.head + state.pointee.waitingCount) % queueDepth] = UInt16(index)
    state.pointee.waitingCount += 1
    meter.countHeld()
  }

  private var firstWaiting: BlockRequest {
    let waiting = state.pointee.waiting!
    return waiting.requests[Int(waiting.order[waiting.head])]
  }

  private func popWaiting() -> BlockRequest {
    let request = firstWaiting
    state.pointee.waiting!.head = (state.pointee.waiting!.head + 1) % queueDepth
    state.pointee.waitingCount -= 1
    return request
  }

  /// Passes on what may go by now; the rest has a time to look again.
  @inline(never) private func release() {
    let now = readClock()
    while state.pointee.waitingCount > 0 {
      let admission = admit(firstWaiting, now)
      guard admission == now else {
        reactor.setDeadline(admission, of: self)
        return
      }
      pass(popWaiting())
    }
    reactor.setDeadline(nil, of: self)
  }

  override func deadlineExpired() { release() }

  /// Limits have come, gone or changed.
  func limitsChanged() {
    guard !state.pointee.isRetired, state.pointee.waitingCount > 0 else { return }
    release()
  }

  func take(_ histogram: BlockHistogram?) {
    state.pointee.histogram?.release()
    state.pointee.histogram = histogram.map { .passRetained($0) }
  }

  // MARK: The end

  /// Requests that wait fail now; those with the device still end as they can.
  override func didClose() {
    while state.pointee.waitingCount > 0 {
      end(.notSent(popWaiting()), nowNanoseconds: readClock())
    }
    reactor.setDeadline(nil, of: self)
    innerReference.close()
    markReady()
  }

  private func innerClosed() {
    if !isClosed { close() }
    guard !state.pointee.isRetired, state.pointee.freeCount == queueDepth else { return }
    state.pointee.isRetired = true
    // It would keep this channel for ever.
    innerReference.setObserver(nil)
    core.leave(meter)
    retire()
  }
}
