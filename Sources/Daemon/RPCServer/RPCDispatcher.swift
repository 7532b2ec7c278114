package import JSONRPC
package import Logging
internal import RingReactor
internal import Synchronization

/// Carries out requests: finds their method, calls it, logs and counts. Any thread may call.
public final class RPCDispatcher: Sendable {
  private let table: RPCMethodTable
  private let phase: @Sendable () -> RPCPhase
  private let didChange: @Sendable (_ method: String, _ parameters: JSONValue?) async -> Void
  let logger: Logger
  private let counts = Mutex<[String: RPCCounts]>([:])

  /// - Parameters:
  ///   - phase: the one the daemon is in.
  ///   - didChange: told of every call that has succeeded, before its reply.
  package init(
    table: RPCMethodTable, logger: Logger, phase: @escaping @Sendable () -> RPCPhase,
    didChange: @escaping @Sendable (_ method: String, _ parameters: JSONValue?) async -> Void = { _, _ in }
  ) {
    self.table = table
    self.logger = logger
    self.phase = phase
    self.didChange = didChange
  }

  /// Calls by method, those of unknown methods under one name.
  package var callCounts: [String: RPCCounts] { counts.withLock { $0 } }

  /// Carries out a request. Parameters are never logged: they may name keys.
  package func call(_ method: String, _ parameters: JSONValue?) async -> Result<JSONValue, RPCError> {
    let start = MonotonicClock.nanoseconds()
    let result: Result<JSONValue, RPCError>
    do throws(RPCError) {
      result = .success(try await table.call(method, parameters, in: phase()))
    } catch {
      result = .failure(error)
    }
    let nanoseconds = MonotonicClock.nanoseconds() &- start
    let isKnown = table[method] != nil
    counts.withLock { counts in
      counts[isKnown ? table[method]!.name : "unknown", default: RPCCounts()].count(result, nanoseconds)
    }
    switch result {
    case .success:
      logger.debug("call succeeded", metadata: ["method": "\(method)", "microseconds": "\(nanoseconds / 1000)"])
      await didChange(table[method]?.name ?? method, parameters)
    case .failure(let error):
      logger.info(
        "call failed",
        metadata: [
          "method": "\(Self.shortened(method))", "code": "\(error.code)", "error": "\(error.message)",
          "detail": "\(error.detail ?? "")", "microseconds": "\(nanoseconds / 1000)",
        ])
    }
    return result
  }

  /// A client may call a method of any length.
  private static func shortened(_ name: String) -> String { name.count <= 64 ? name : "\(name.prefix(64))…" }
}
