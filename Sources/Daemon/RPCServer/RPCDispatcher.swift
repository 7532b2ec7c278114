package import JSONRPC
package import Logging
internal import RingReactor
internal import Synchronization

/// Carries out requests: finds their method, calls it, logs and counts. Any thread may call.
public final class RPCDispatcher: Sendable {
  package typealias Observer =
    @Sendable (_ method: String, _ parameters: JSONValue?, _ result: Result<RPCResult, RPCError>) async -> Void

  private let table: RPCMethodTable
  private let phase: @Sendable () -> RPCPhase
  private let didEnd: Observer
  let logger: Logger
  private let counts = Mutex<[String: RPCCounts]>([:])

  /// - Parameters:
  ///   - phase: the one the daemon is in.
  ///   - didEnd: told of every call of a method there is, before its reply.
  package init(
    table: RPCMethodTable, logger: Logger, phase: @escaping @Sendable () -> RPCPhase,
    didEnd: @escaping Observer = { _, _, _ in }
  ) {
    self.table = table
    self.logger = logger
    self.phase = phase
    self.didEnd = didEnd
  }

  /// Calls by method, those of unknown methods under one name.
  package var callCounts: [String: RPCCounts] { counts.withLock { $0 } }

  /// Carries out a request. Parameters are never logged: they may name keys.
  package func call(_ method: String, _ parameters: JSONValue?) async -> Result<RPCResult, RPCError> {
    let start = MonotonicClock.nanoseconds()
    let result: Result<RPCResult, RPCError>
    do throws(RPCError) {
      result = .success(try await table.call(method, parameters, in: phase()))
    } catch {
      result = .failure(error)
    }
    let nanoseconds = MonotonicClock.nanoseconds() &- start
    let name = table[method]?.name
    counts.withLock { $0[name ?? "unknown", default: RPCCounts()].count(result, nanoseconds) }
    switch result {
    case .success:
      logger.debug("call succeeded", metadata: ["method": "\(method)", "microseconds": "\(nanoseconds / 1000)"])
    case .failure(let error):
      logger.info(
        "call failed",
        metadata: [
          "method": "\(Self.shortened(method))", "code": "\(error.code)", "error": "\(error.message)",
          "detail": "\(error.detail ?? "")", "microseconds": "\(nanoseconds / 1000)",
        ])
    }
    if let name { await didEnd(name, parameters, result) }
    return result
  }

  /// A client may call a method of any length.
  private static func shortened(_ name: String) -> String { name.count <= 64 ? name : "\(name.prefix(64))…" }
}
