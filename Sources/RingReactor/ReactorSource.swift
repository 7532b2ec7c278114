/// Something that lives on a reactor: it prepares ring entries, gets their completions, has one deadline, and can ask
/// to be called once later in the turn.
///
/// All its methods are called on the reactor's thread, and none while another one of the same source runs. The reactor
/// keeps the source alive from its creation until ``retire()``; a source retires only when none of its operations is
/// in the kernel's hands any more, because the kernel may still write into its memory until then.
open class ReactorSource {
  /// The reactor this source lives on. The reactor outlives its sources.
  public unowned(unsafe) let reactor: Reactor
  /// This source's name in the reactor's table.
  public let identifier: SourceIdentifier

  /// Enters the source into the reactor's table. Call on the reactor's thread.
  public init(reactor: Reactor) {
    self.reactor = reactor
    self.identifier = reactor.reserveIdentifier()
    reactor.adopt(self)
  }

  /// A ring entry of this source has completed.
  open func completed(_ completion: RingCompletion) {}

  /// The reactor spins and this source is one of those it polls (``Reactor/startPolling(_:)``): the place to look for
  /// input without the ring. Returns true when there was some.
  open func poll() -> Bool { false }

  /// The reactor polls this source no longer, because it is about to sleep: the place to hand the ring what will wake it.
  open func pollingEnded() {}

  /// Called before the next submission, after ``Reactor/markDirty(_:)``: the place to put all of a turn's output into
  /// one ring entry.
  open func flush() {}

  /// Called after all completions of a turn have been collected, after ``Reactor/markReady(_:)``.
  open func run() {}

  /// The deadline set with ``Reactor/setDeadline(_:of:)`` has passed; it is unset already.
  open func deadlineExpired() {}

  /// The reactor is about to end: it takes no messages any more, and what this source has with the kernel is about to
  /// be cancelled. The time to give an answer to whoever waits for one.
  open func reactorIsEnding() {}

  /// Another thread has memory that this source was lent, and has not answered yet (``ReactorHandle/answer(_:)``). Asked
  /// while the reactor ends: it waits for that as for what the kernel has.
  open var awaitsAnswers: Bool { false }

  /// Takes the source out of the reactor's table and lets go of it.
  public final func retire() { reactor.remove(self) }
}
