public import NVMeProtocol
public import RingReactor

/// One queue pair over some transport: capsules in, completions out. This class is the whole boundary between the host's
/// logic and a transport; how data moves (copied into a stream, placed by an RDMA adapter) is the transport's affair.
///
/// A transport subclasses it. All methods are called on the reactor's thread. There is no callback for its life:
/// whenever ``state`` changes, the owner is made ready to run and looks. Commands' ends go to the sink that was named
/// with each command; when ``state`` is `closed`, every command's end has been told, and the kernel holds no memory of
/// any of them.
///
/// One virtual call a command is what the boundary costs.
open class QueuePair: ReactorSource {
  public let parameters: QueuePairParameters
  private let owner: Unmanaged<ReactorSource>
  private var storedState = QueuePairState.connecting
  private var capacityWaiters: [ReactorSource] = []
  private var timedOutCommands: [UInt16] = []
  /// Asked at every turn, where the array would cost an exclusivity check.
  private var hasCapacityWaiters = false

  /// Begins to connect.
  ///
  /// - Parameter owner: run whenever ``state`` changes. It must outlive the queue pair.
  public init(reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) {
    self.parameters = parameters
    self.owner = .passRetained(owner)
    super.init(reactor: reactor)
  }

  deinit { owner.release() }

  /// Where the queue pair stands.
  public final var state: QueuePairState { storedState }

  /// Whether ``state`` is `connecting`; unlike a comparison, this copies nothing, so it may be asked at every turn.
  public final var isConnecting: Bool { if case .connecting = storedState { true } else { false } }

  /// For transports: moves on, and has the owner look.
  public final func transition(to state: QueuePairState) {
    guard storedState != state else { return }
    storedState = state
    owner._withUnsafeGuaranteedRef { reactor.markReady($0) }
    notifyCapacityWaiters()
  }

  /// Has `source` run once when a command has ended or ``state`` has changed: for whoever was refused a command.
  public final func waitForCapacity(_ source: ReactorSource) {
    if case .closed = storedState {
      // Nothing will change here any more: let it look again, when the owner has seen that, too.
      reactor.markReady(source)
      return
    }
    capacityWaiters.append(source)
    hasCapacityWaiters = true
  }

  /// For transports: commands have ended.
  public final func notifyCapacityWaiters() {
    if hasCapacityWaiters { wakeCapacityWaiters() }
  }

  @inline(never) private func wakeCapacityWaiters() {
    for source in capacityWaiters { markReady(source) }
    capacityWaiters.removeAll(keepingCapacity: true)
    hasCapacityWaiters = false
  }

  /// For transports: a command has not been answered in time, and its owner is to have it aborted.
  public final func noteTimedOut(commandIdentifier: UInt16) {
    timedOutCommands.append(commandIdentifier)
    owner._withUnsafeGuaranteedRef { reactor.markReady($0) }
  }

  /// For the owner: the identifiers of commands that have not been answered in time, each once.
  public final func takeTimedOutCommands() -> [UInt16] {
    if timedOutCommands.isEmpty { return [] }
    defer { timedOutCommands = [] }
    return timedOutCommands
  }

  /// Commands that can be submitted now; 0 unless connected.
  open var freeCommandCount: Int { preconditionFailure("transports override this") }

  /// Takes a command. The transport fills in command identifier and SGL.
  ///
  /// - Parameters:
  ///   - data: the command's memory, the caller's until the completion.
  ///   - sink: told the command's end, with `token`. It must outlive the command.
  /// - Returns: false when no command identifier is free or the queue pair is not connected; nothing has happened then.
  open func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    sink: Unmanaged<CompletionSink>, token: UInt64
  ) -> Bool { preconditionFailure("transports override this") }

  /// Whether a command that was submitted since this was last asked has also been answered since: what makes a keep alive
  /// unnecessary where that is traffic based. A transport that cannot tell says no.
  open func takeTraffic() -> Bool { false }

  /// What has gone wrong, known before the commands it costs are told; nil while nothing has. A transport that cannot tell
  /// says nil.
  open var failure: TransportError? { nil }

  /// Makes queue pairs to the very address that this one is connected to: all queues of an association go to one
  /// controller, and what a name stands for may change between two of them. Nil where the transport's address is no name.
  open var pinnedTransport: (any Transport)? { nil }

  /// Takes the connection down, at any time. ``state`` becomes `closed` when that is done.
  open func close() { preconditionFailure("transports override this") }
}
