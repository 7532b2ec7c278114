import Dispatch

/// Runs system calls that may block on threads of their own, away from those that tasks share.
enum BlockingCalls {
  private static let queue = DispatchQueue(label: "nvmeof.blocking", attributes: .concurrent)

  static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withUnsafeContinuation { continuation in
      queue.async { continuation.resume(returning: body()) }
    }
  }
}
