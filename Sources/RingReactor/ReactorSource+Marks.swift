internal import CLiburing

// What sources ask of their reactor at every turn. `reactor` is an unowned reference, which Swift retains and releases
// around each call through it: two atomic operations for a call that needs none, as the reactor outlives what it calls.
extension ReactorSource {
  /// Has ``flush()`` called before the next submission: ``Reactor/markDirty(_:)``.
  public final func markDirty() {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.markDirty(self) }
  }

  /// Has ``run()`` called later in this turn, or in the next: ``Reactor/markReady(_:)``.
  public final func markReady() {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.markReady(self) }
  }

  /// As ``markReady()``, for another source of the same reactor.
  public final func markReady(_ source: ReactorSource) {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.markReady(source) }
  }

  /// ``Reactor/isSpinning``
  public final var isReactorSpinning: Bool {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.isSpinning }
  }

  /// ``Reactor/flushesFew``
  public final var reactorFlushesFew: Bool {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.flushesFew }
  }

  /// ``Reactor/nowNanoseconds``
  public final var nowNanoseconds: UInt64 {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.nowNanoseconds }
  }

  /// ``Reactor/readClock()``
  public final func readClock() -> UInt64 {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.readClock() }
  }

  /// Has ``poll()`` called while the reactor spins: ``Reactor/startPolling(_:)``.
  public final func startPolling() -> Bool {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.startPolling(self) }
  }

  /// ``Reactor/expectAnswers(_:)``
  public final func expectAnswers(_ change: Int) {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.expectAnswers(change) }
  }

  /// A ring entry of this source: ``Reactor/entry(for:operation:tag:)``.
  final func ringEntry(operation: UInt8) -> UnsafeMutablePointer<io_uring_sqe> {
    Unmanaged.passUnretained(reactor)._withUnsafeGuaranteedRef { $0.entry(for: self, operation: operation) }
  }
}
