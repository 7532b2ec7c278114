/// A method of the interface: its names, when it may be called, and what it does.
public struct RPCMethod: Sendable {
  public let name: String
  /// Other names it answers to, for clients that are older.
  public let aliases: [String]
  public let phase: RPCPhase
  /// What parameters that cannot be decoded are answered by.
  public let undecodable: RPCError
  /// Carries out one call. Any number may run at once.
  public let call: @Sendable (RPCParameters) async throws(RPCError) -> RPCResult

  /// A method with parameters.
  ///
  /// - Parameters:
  ///   - decode: reads the parameters; those it did not ask for are refused afterwards. What it throws is answered by
  ///     `undecodable`.
  ///   - body: does the work, with what was decoded.
  public init<Decoded: Sendable>(
    _ name: String, aliases: [String] = [], phase: RPCPhase = .runTime, undecodable: RPCError = .undecodable,
    decode: @escaping @Sendable (inout RPCParameters) throws(RPCParameterError) -> Decoded,
    body: @escaping @Sendable (Decoded) async throws(RPCError) -> JSONValue
  ) {
    self.init(name, aliases: aliases, phase: phase, undecodable: undecodable, decode: decode) {
      decoded async throws(RPCError) in .value(try await body(decoded))
    }
  }

  /// A method with parameters, whose result may be text already.
  public init<Decoded: Sendable>(
    _ name: String, aliases: [String] = [], phase: RPCPhase = .runTime, undecodable: RPCError = .undecodable,
    decode: @escaping @Sendable (inout RPCParameters) throws(RPCParameterError) -> Decoded,
    result: @escaping @Sendable (Decoded) async throws(RPCError) -> RPCResult
  ) {
    self.name = name
    self.aliases = aliases
    self.phase = phase
    self.undecodable = undecodable
    call = { parameters async throws(RPCError) in
      var parameters = parameters
      let decoded: Decoded
      do throws(RPCParameterError) {
        decoded = try decode(&parameters)
        try parameters.finish()
      } catch {
        var answer = undecodable
        answer.detail = error.description
        throw answer
      }
      return try await result(decoded)
    }
  }

  /// A method without parameters.
  public init(
    _ name: String, aliases: [String] = [], phase: RPCPhase = .runTime, undecodable: RPCError? = nil,
    body: @escaping @Sendable () async throws(RPCError) -> JSONValue
  ) {
    self.init(
      name, aliases: aliases, phase: phase,
      undecodable: undecodable ?? .invalidParameters("\(name) requires no parameters"),
      decode: { _ throws(RPCParameterError) in () }, body: { _ async throws(RPCError) in try await body() })
  }
}
