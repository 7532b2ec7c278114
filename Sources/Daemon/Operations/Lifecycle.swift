internal import JSONRPC
internal import Synchronization

/// Which phase the daemon is in, and who waits for the next.
public final class Lifecycle: Sendable {
  private struct Shared {
    var hasStarted = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let shared = Mutex(Shared())

  public init() {}

  /// True from `framework_start_init` on, or from the start when that was not asked for.
  public var hasStarted: Bool { shared.withLock { $0.hasStarted } }

  /// Ends the start-up phase; false when it has ended before.
  func start() -> Bool {
    let waiting: [CheckedContinuation<Void, Never>]? = shared.withLock { shared in
      if shared.hasStarted { return nil }
      shared.hasStarted = true
      defer { shared.waiting = [] }
      return shared.waiting
    }
    guard let waiting else { return false }
    for continuation in waiting { continuation.resume() }
    return true
  }

  /// Returns when the start-up phase has ended.
  func waitUntilStarted() async {
    await withCheckedContinuation { continuation in
      let isOver = shared.withLock { shared in
        if !shared.hasStarted { shared.waiting.append(continuation) }
        return shared.hasStarted
      }
      if isOver { continuation.resume() }
    }
  }
}

extension Lifecycle {
  var phase: RPCPhase { hasStarted ? .runTime : .startup }
}
