import JSONRPC
import Testing

struct RPCParametersTests {
  enum Mode: String, RPCEnumeration { case failover, multipath }

  struct Decoded: Sendable, Equatable {
    var name: String
    var count: UInt8?
    var delta: Int32 = 0
    var flag = false
    var mode = Mode.multipath
    var names: [String]?
    var inner: UInt32?
  }

  private func method() -> RPCMethod {
    RPCMethod(
      "m", aliases: ["old_m"], undecodable: RPCError(code: -22, message: "Failed to parse the request"),
      decode: { parameters throws(RPCParameterError) in
        Decoded(
          name: try parameters.required("name"), count: try parameters.optional("count", in: 1...100),
          delta: try parameters.optional("delta", default: -1), flag: try parameters.optional("flag", default: false),
          mode: try parameters.optional("mode", default: .multipath), names: try parameters.optional("names"),
          inner: try parameters.optionalObject("inner") { inner throws(RPCParameterError) in
            try inner.required("value")
          })
      },
      body: { decoded in .string("\(decoded)") })
  }

  @Test func whatIsMissingHasItsDefault() async throws {
    let table = RPCMethodTable([method()])
    let result = try await table.call("m", ["name": "x"], in: .runTime)
    #expect(result == .value(.string("\(Decoded(name: "x", delta: -1))")))
    let full: JSONValue = [
      "inner": ["value": 4_294_967_295], "names": ["a", "b"], "mode": "failover", "flag": true, "delta": -5,
      "count": 100,
      "name": "",
    ]
    #expect(
      try await table.call("old_m", full, in: .runTime)
        == .value(
          .string(
            "\(Decoded(name: "", count: 100, delta: -5, flag: true, mode: .failover, names: ["a", "b"], inner: .max))"))
    )
  }

  static let integers: [(String, Bool)] = [
    ("1", true), ("1.0", true), ("1e1", true), ("100", true), ("0", false), ("101", false), ("256", false),
    ("-1", false),
    ("1.5", false), ("\"1\"", false), ("true", false), ("null", false), ("[1]", false), ("{}", false),
    ("18446744073709551617", false),
  ]

  @Test(arguments: integers)
  func integersAreStrict(text: String, isAccepted: Bool) async throws {
    let parameters = try JSONParser.value(of: #"{"name":"x","count":\#(text)}"#)
    let table = RPCMethodTable([method()])
    if isAccepted {
      _ = try await table.call("m", parameters, in: .runTime)
    } else {
      await #expect { try await table.call("m", parameters, in: .runTime) } throws: {
        let error = $0 as? RPCError
        return error?.code == -22 && error?.message == "Failed to parse the request"
          && error?.detail?.hasPrefix("count: ") == true
      }
    }
  }

  static let refused: [(String, String)] = [
    ("{}", "name: is missing"), ("null", "name: is missing"), ("[]", "the parameters are an array, must be an object"),
    (#"{"name":null}"#, "name: is null, must be a string"), (#"{"name":1}"#, "name: is a number, must be a string"),
    (#"{"name":"a\u0000b"}"#, "name: has a zero byte"),
    (#"{"name":"x","other":1,"more":1}"#, "other: is unknown"), (#"{"name":"x","name":"x"}"#, "name: is there twice"),
    (#"{"name":"x","flag":0}"#, "flag: is a number, must be true or false"),
    (#"{"name":"x","count":0}"#, "count: is 0, must be 1 to 100"),
    (#"{"name":"x","delta":2147483648}"#, "delta: is 2147483648, must be an integer from -2147483648 to 2147483647"),
    (#"{"name":"x","mode":"Failover"}"#, "mode: is 'Failover', must be one of failover, multipath"),
    (#"{"name":"x","names":"a"}"#, "names: is a string, must be an array"),
    (#"{"name":"x","names":["a",1]}"#, "names[1]: is a number, must be a string"),
    (#"{"name":"x","inner":null}"#, "inner: is null, must be an object"),
    (#"{"name":"x","inner":{}}"#, "inner.value: is missing"),
    (#"{"name":"x","inner":{"value":1,"x":2}}"#, "inner.x: is unknown"),
    (#"{"name":"x","inner":{"value":1,"value":2}}"#, "inner.value: is there twice"),
  ]

  @Test(arguments: refused)
  func whatIsWrongIsNamed(text: String, detail: String) async throws {
    let parameters = try JSONParser.value(of: text)
    let table = RPCMethodTable([method()])
    await #expect { try await table.call("m", parameters, in: .runTime) } throws: {
      ($0 as? RPCError)?.detail == detail
    }
  }

  @Test func aMethodWithoutParametersTakesNone() async throws {
    let table = RPCMethodTable([RPCMethod("spdk_m") { true }])
    #expect(try await table.call("spdk_m", nil, in: .runTime) == .value(true))
    #expect(try await table.call("spdk_m", .null, in: .runTime) == .value(true))
    #expect(try await table.call("spdk_m", [:], in: .runTime) == .value(true))
    for parameters: JSONValue in [["x": 1], []] {
      await #expect { try await table.call("spdk_m", parameters, in: .runTime) } throws: {
        let error = $0 as? RPCError
        return error?.code == -32602 && error?.message == "spdk_m requires no parameters"
      }
    }
  }

  @Test func thePhaseIsHeld() async throws {
    let table = RPCMethodTable([
      RPCMethod("early", phase: .startup) { 1 }, RPCMethod("late") { 2 }, RPCMethod("always", phase: .both) { 3 },
    ])
    #expect(try await table.call("early", nil, in: .startup) == .value(1))
    #expect(try await table.call("late", nil, in: .runTime) == .value(2))
    #expect(try await table.call("always", nil, in: .startup) == .value(3))
    #expect(try await table.call("always", nil, in: .runTime) == .value(3))
    await #expect(throws: RPCError.methodNotFound) { try await table.call("never", nil, in: .startup) }
    await #expect {
      try await table.call("late", nil, in: .startup)
    } throws: {
      ($0 as? RPCError)
        == RPCError(
          code: -1,
          message: "Method may only be called after framework is initialized using framework_start_init RPC.")
    }
    await #expect { try await table.call("early", nil, in: .runTime) } throws: { ($0 as? RPCError)?.code == -1 }
  }

  @Test func systemErrorsHaveTheSystemsTexts() {
    #expect(RPCError.system(19) == RPCError(code: -19, message: "No such device"))
    #expect(RPCError.system(17).message == "File exists")
    #expect(RPCError.system(110).message == "Connection timed out")
    #expect(RPCError.system(114).message == "Operation already in progress")
  }
}
