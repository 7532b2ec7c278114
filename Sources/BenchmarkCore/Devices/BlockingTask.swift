internal import Synchronization

/// Runs asynchronous set-up from the program's main thread, which is not a task. Never on an I/O path.
enum BlockingTask {
  private final class Box<Value: Sendable>: Sendable {
    let result = Mutex<Result<Value, any Error>?>(nil)
  }

  static func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let box = Box<Value>()
    let monitor = RunMonitor()
    Task.detached {
      let result: Result<Value, any Error>
      do {
        result = .success(try await body())
      } catch {
        result = .failure(error)
      }
      monitor.update { box.result.withLock { $0 = result } }
    }
    monitor.wait(untilNanoseconds: nil) { box.result.withLock { $0 != nil } }
    guard let result = box.result.withLock({ $0 }) else { throw CancellationError() }
    return try result.get()
  }
}
