/// Runs what blocks on a thread of its own. The threads of Swift's pool are as few as the processors: one that is blocked is
/// lost to all tests, and where what it waits for needs the pool, too, two of them wait for ever.
public func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    TestThread { continuation.resume(with: Result { try body() }) }.detach()
  }
}
