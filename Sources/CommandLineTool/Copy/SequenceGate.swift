import Synchronization

/// Lets those who hold parts of a sequence pass in its order.
final class SequenceGate: Sendable {
  private struct State {
    var next: UInt64
    var isClosed = false
    var waiters: [UInt64: UnsafeContinuation<Bool, Never>] = [:]
  }

  private let state: Mutex<State>

  init(first: UInt64) { state = Mutex(State(next: first)) }

  /// Waits for the turn of the part that begins at `position`; false: the gate has been closed, there is no turn.
  func enter(_ position: UInt64) async -> Bool {
    await withUnsafeContinuation { continuation in
      let answer: Bool? = state.withLock { state in
        if state.isClosed { return false }
        if state.next == position { return true }
        state.waiters[position] = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// The part is over; it is the turn of the one that begins at `next`.
  func leave(next: UInt64) {
    let waiter = state.withLock { state in
      state.next = next
      return state.waiters.removeValue(forKey: next)
    }
    waiter?.resume(returning: true)
  }

  /// Lets nobody pass any more.
  func close() {
    let waiters = state.withLock { state in
      state.isClosed = true
      let waiters = Array(state.waiters.values)
      state.waiters = [:]
      return waiters
    }
    for waiter in waiters { waiter.resume(returning: false) }
  }
}
