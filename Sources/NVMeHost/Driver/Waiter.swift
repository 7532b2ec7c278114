import Synchronization

/// One task that waits for one thing, which may have come already.
final class Waiter: Sendable {
  private enum State {
    case idle
    case waiting(UnsafeContinuation<Void, Never>)
    case ended
  }

  private let state = Mutex(State.idle)

  /// Returns once ``end()`` has been called. Once only.
  func wait() async {
    await withUnsafeContinuation { continuation in
      let isOver = state.withLock { state in
        if case .ended = state { return true }
        state = .waiting(continuation)
        return false
      }
      if isOver { continuation.resume() }
    }
  }

  /// Any thread may call, at any time, as often as it likes.
  func end() {
    let continuation: UnsafeContinuation<Void, Never>? = state.withLock { state in
      defer { state = .ended }
      if case .waiting(let continuation) = state { return continuation }
      return nil
    }
    continuation?.resume()
  }
}
