import Synchronization

/// Tells that a task has ended, and how.
final class DoneFlag: Sendable {
  private let state = Mutex<(isDone: Bool, failure: String?)>((false, nil))

  var isDone: Bool { state.withLock { $0.isDone } }
  var failure: String? { state.withLock { $0.failure } }
  func finish(_ failure: String?) { state.withLock { $0 = (true, failure) } }
}
