internal import Synchronization

/// Something that is waited for, but not for ever.
enum Deadline {
  /// What `body` returns; nil when that takes longer. It goes on by itself then, and what it returns is dropped.
  ///
  /// - Parameter milliseconds: 0 = for ever.
  static func first<Value: Sendable>(
    milliseconds: UInt32, _ body: @escaping @Sendable () async -> Value
  ) async -> Value? {
    if milliseconds == 0 { return await body() }
    let waiter = Waiter()
    return await withUnsafeContinuation { (continuation: UnsafeContinuation<Value?, Never>) in
      let timer = Task {
        if (try? await Task.sleep(for: .milliseconds(Int64(milliseconds)))) != nil, waiter.close() {
          continuation.resume(returning: nil)
        }
      }
      Task {
        let value = await body()
        if waiter.close() {
          timer.cancel()
          continuation.resume(returning: value)
        }
      }
    }
  }

  private final class Waiter: Sendable {
    private let isOpen = Mutex(true)

    /// - Returns: true the first time.
    func close() -> Bool {
      isOpen.withLock { isOpen in
        defer { isOpen = false }
        return isOpen
      }
    }
  }
}
