/// All methods of a service, by name.
public struct RPCMethodTable: Sendable {
  /// In the order they were given.
  public let methods: [RPCMethod]
  private let indices: [String: Int]

  /// Two methods of one name are a mistake of the program.
  public init(_ methods: [RPCMethod]) {
    self.methods = methods
    var indices: [String: Int] = [:]
    for (index, method) in methods.enumerated() {
      for name in [method.name] + method.aliases {
        let previous = indices.updateValue(index, forKey: name)
        precondition(previous == nil, "two RPC methods are named \(name)")
      }
    }
    self.indices = indices
  }

  /// The method that answers to `name`.
  public subscript(name: String) -> RPCMethod? { indices[name].map { methods[$0] } }

  /// The method to call, or why it cannot be called now.
  public func method(named name: String, in phase: RPCPhase) throws(RPCError) -> RPCMethod {
    guard let method = self[name] else { throw .methodNotFound }
    if method.phase.contains(phase) { return method }
    throw RPCError(
      code: -1,
      message: phase == .startup
        ? "Method may only be called after framework is initialized using framework_start_init RPC."
        : "Method may only be called before framework is initialized. Use --wait-for-rpc command line parameter and then"
          + " issue this RPC before the framework_start_init RPC.")
  }

  /// Calls a method.
  ///
  /// - Parameter phase: the one the service is in: ``RPCPhase/startup`` or ``RPCPhase/runTime``.
  public func call(
    _ name: String, _ parameters: JSONValue?, in phase: RPCPhase
  ) async throws(RPCError) -> RPCResult {
    try await method(named: name, in: phase).call(RPCParameters(parameters))
  }
}
