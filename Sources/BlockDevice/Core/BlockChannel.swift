public import NVMeHost
public import RingReactor

/// The submit/poll face of a block device: one channel a reactor, used on that reactor's thread alone.
///
/// ``submit(_:)`` takes requests; turning the reactor moves them; ``poll(into:)`` hands back those that have ended. None
/// of the three allocates, locks, or calls back into the caller.
///
///     let channel = try device.openChannel(on: reactor, queueDepth: 128)
///     while channel.submit(next) == .accepted { … }
///     reactor.turn(.forever)
///     let count = channel.poll(into: completions)
open class BlockChannel: CompletionSink {
  /// Requests that may be outstanding at once.
  public let queueDepth: Int
  /// Behind a pointer: class storage would pay an exclusivity check an access.
  private let state: UnsafeMutablePointer<State>
  private var device: (any BlockDevice)?
  private let handle: ReactorHandle

  private struct State {
    var outstandingCount = 0
    var completions: UnsafeMutablePointer<BlockCompletion>
    var mask: Int
    var head = 0
    var tail = 0
    var isClosed = false
    /// Retained here; unmanaged, because every completion looks at it.
    var observer: Unmanaged<ReactorSource>?
  }

  public init(reactor: Reactor, queueDepth: Int) {
    precondition((1...65535).contains(queueDepth), "a channel's queue depth is 1...65535")
    self.queueDepth = queueDepth
    var size = 1
    while size < queueDepth { size *= 2 }
    handle = reactor.handle
    state = .allocate(capacity: 1)
    state.initialize(to: State(completions: .allocate(capacity: size), mask: size - 1))
    super.init(reactor: reactor)
  }

  deinit {
    state.pointee.observer?.release()
    state.pointee.completions.deallocate()
    state.deinitialize(count: 1)
    state.deallocate()
  }

  /// Size and limits as this channel goes by; for subclasses.
  open var geometry: BlockGeometry { preconditionFailure("subclasses override this") }
  open var capabilities: BlockCapabilities { preconditionFailure("subclasses override this") }

  /// Starts a request that has been validated; for subclasses. Its end is reported by ``finish(_:)``, at once or later.
  open func start(_ request: BlockRequest) { preconditionFailure("subclasses override this") }

  /// Requests accepted and not yet polled as completed.
  public final var outstandingCount: Int { state.pointee.outstandingCount }

  /// Takes a request. Its memory is lent to the channel when the answer is ``BlockSubmission/accepted``.
  public final func submit(_ request: BlockRequest) -> BlockSubmission {
    if let refusal = refusal(of: request) { return .refused(refusal) }
    if state.pointee.outstandingCount >= queueDepth { return .busy }
    state.pointee.outstandingCount += 1
    start(request)
    return .accepted
  }

  /// Why a request cannot be taken; nil when it can.
  public final func refusal(of request: BlockRequest) -> BlockRefusal? {
    if state.pointee.isClosed { return .closed }
    return Self.refusal(of: request, geometry: geometry, capabilities: capabilities)
  }

  /// The rules that every request is held against before it goes anywhere.
  static func refusal(
    of request: BlockRequest, geometry: BlockGeometry, capabilities: BlockCapabilities
  ) -> BlockRefusal? {
    switch request.operation {
    case .flush: return nil
    case .read: break
    case .write: if !capabilities.contains(.write) { return .readOnly }
    case .discard: if !capabilities.contains(.discard) { return .unsupported }
    case .writeZeroes: if !capabilities.contains(.writeZeroes) { return .unsupported }
    case .compare: if !capabilities.contains(.compare) { return .unsupported }
    case .verify: if !capabilities.contains(.verify) { return .unsupported }
    }
    if request.blockCount == 0 { return .zeroLength }
    let (end, overflow) = request.logicalBlockAddress.addingReportingOverflow(UInt64(request.blockCount))
    if overflow || end > geometry.blockCount { return .outOfRange }
    guard request.operation.hasData else { return nil }
    let byteCount = UInt64(request.blockCount) * UInt64(geometry.blockByteCount)
    if byteCount > UInt64(geometry.maximumRequestByteCount) { return .tooLarge }
    guard let memory = request.memoryByteCount, UInt64(memory) == byteCount else { return .lengthMismatch }
    return nil
  }

  /// Hands back requests that have ended; their memory is the caller's again.
  ///
  /// - Returns: how many were written to the front of `completions`.
  public final func poll(into completions: UnsafeMutableBufferPointer<BlockCompletion>) -> Int {
    let count = min(completions.count, state.pointee.tail &- state.pointee.head)
    for index in 0..<count {
      (completions.baseAddress! + index).initialize(
        to: state.pointee.completions[(state.pointee.head &+ index) & state.pointee.mask])
    }
    state.pointee.head &+= count
    state.pointee.outstandingCount -= count
    // What did not fit is not to be slept upon: the next turn returns at once.
    if state.pointee.head != state.pointee.tail { wakeForRest() }
    return count
  }

  // Not inlined: callers have room for what there is.
  @inline(never) private func wakeForRest() {
    // One that has been closed may have retired, and is not run any more; its reactor may be gone.
    if state.pointee.isClosed { handle.post { _ in } } else { markReady() }
  }

  /// True when ``poll(into:)`` has something.
  public final var hasCompletions: Bool { state.pointee.head != state.pointee.tail }

  /// Reports a request's end; for subclasses.
  public final func finish(_ completion: BlockCompletion) {
    (state.pointee.completions + (state.pointee.tail & state.pointee.mask)).initialize(to: completion)
    state.pointee.tail &+= 1
    tellObserver()
  }

  private func tellObserver() {
    if let observer = state.pointee.observer { observer._withUnsafeGuaranteedRef { markReady($0) } }
  }

  /// Has the channel keep its device for as long as there is the channel: whoever holds one need not hold the device, and
  /// the channel hears what the device hears. For ``BlockDevice/openChannel(on:queueDepth:)``.
  ///
  /// A subclass is not to hold its device itself: the channel of the device's own `async` face keeps it not, so that the
  /// face ends with the device.
  public final func keep(_ device: any BlockDevice) { self.device = device }

  /// For the channel of a device's own `async` face.
  final func letGoOfDevice() { device = nil }

  /// Has `observer` run whenever there is something to poll; nil for nobody.
  public final func setObserver(_ observer: ReactorSource?) {
    let old = state.pointee.observer
    state.pointee.observer = observer.map { .passRetained($0) }
    old?.release()
  }

  /// Ends the channel: no request is taken any more. Those outstanding still complete and can be polled, and have to be
  /// waited for before their memory is used again. On the reactor's thread, as everything here; once is enough.
  public final func close() {
    guard !state.pointee.isClosed else { return }
    state.pointee.isClosed = true
    // It still has to poll what is outstanding.
    tellObserver()
    didClose()
  }

  /// The reactor ends: whoever still holds the channel gets refusals, and can poll what has ended.
  open override func reactorIsEnding() { close() }

  public final var isClosed: Bool { state.pointee.isClosed }

  /// For subclasses: the channel has been closed.
  open func didClose() {}
}
