import JSONRPC
import Testing

struct RPCConnectionTests {
  /// Feeds a connection, answers every request by its method's name (as text when it begins with "text", by an error when
  /// it begins with "fail"), and returns what came out, line by line.
  private func replies(
    _ text: String, pieces: [Int] = [], limits: RPCLimits = RPCLimits()
  ) -> (lines: [String], isFinished: Bool) {
    var connection = RPCConnection(limits: limits)
    var output: [UInt8] = []
    let bytes = Array(text.utf8)
    var start = 0
    for end in pieces + [bytes.count] {
      bytes[start..<end].withUnsafeBytes { connection.receive($0) }
      answer(&connection, &output)
      start = end
    }
    connection.endInput()
    answer(&connection, &output)
    output += connection.sendAll()
    let text = String(decoding: output, as: UTF8.self)
    #expect(text.isEmpty || text.last == "\n")
    return (text.split(separator: "\n").map(String.init), connection.isFinished)
  }

  private func answer(_ connection: inout RPCConnection, _ output: inout [UInt8]) {
    while true {
      if let request = connection.nextRequest() {
        connection.reply(
          to: request.token,
          request.method.hasPrefix("fail")
            ? .failure(.noSuchDevice)
            : .success(
              request.method.hasPrefix("text")
                ? .text(Array("\"\(request.method)\"".utf8)) : .value(.string(request.method))))
      } else if connection.output.isEmpty {
        return
      }
      output += connection.sendAll()
    }
  }

  private static let invalid = #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request"}}"#
  private static let parse = #"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#
  private static func success(_ id: String, _ method: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"result":"\#(method)"}"#
  }
  private static func invalid(_ id: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32600,"message":"Invalid request"}}"#
  }

  static let conversations: [(String, [String])] = [
    // Identifiers come back as they were written.
    (#"{"jsonrpc":"2.0","method":"a","id":1}"#, [success("1", "a")]),
    (#"{"method":"a","id":"x\u0041"}"#, [success(#""xA""#, "a")]),
    (#"{"method":"a","id":null}"#, [success("null", "a")]),
    (#"{"method":"a","id":1.50e1}"#, [success("1.50e1", "a")]),
    (#"{"method":"a","id":18446744073709551615}"#, [success("18446744073709551615", "a")]),
    (#"{"method":"a","id":-0}"#, [success("-0", "a")]),
    // What has been written already is sent as it is.
    (#"{"method":"text","id":"x"}"#, [success(#""x""#, "text")]),
    (#"{"method":"text"}"#, []),
    (
      #"[{"method":"text","id":1},{"method":"a","id":2},{"method":"text"},{"method":"fail","id":3}]"#,
      [
        "[\(success("1", "text")),\(success("2", "a")),"
          + #"{"jsonrpc":"2.0","id":3,"error":{"code":-19,"message":"No such device"}}]"#
      ]
    ),
    // Null parameters are none; no identifier, no reply to a success, and an error with null.
    (#"{"method":"a","params":null,"id":1}"#, [success("1", "a")]),
    (#"{"method":"a"}"#, []),
    (#"{"method":"fail"}"#, [#"{"jsonrpc":"2.0","id":null,"error":{"code":-19,"message":"No such device"}}"#]),
    (#"{"method":"fail","id":7}"#, [#"{"jsonrpc":"2.0","id":7,"error":{"code":-19,"message":"No such device"}}"#]),
    // Values one behind the other, with any white space and any layout.
    (#"{"method":"a","id":1}{"method":"b","id":2}"#, [success("1", "a"), success("2", "b")]),
    (
      "{\n\t\"method\": \"a\",\n\t\"id\": 1\n}\r\n\t {\"method\":\"b\",\"id\":2}\n",
      [success("1", "a"), success("2", "b")]
    ),
    // What is no request: the connection goes on.
    (#"1 "a" null {"method":"a","id":1}"#, [invalid, invalid, invalid, success("1", "a")]),
    (#"{"jsonrpc":"1.0","method":"a","id":1}"#, [invalid("1")]),
    (#"{"jsonrpc":2.0,"method":"a","id":1}"#, [invalid("1")]),
    (#"{"jsonrpc":null,"method":"a","id":1}"#, [invalid("1")]),
    (#"{"id":1}"#, [invalid("1")]), (#"{"method":1,"id":1}"#, [invalid("1")]), ("{}", [invalid]),
    (#"{"method":"a","id":true}"#, [invalid]), (#"{"method":"a","id":[1]}"#, [invalid]),
    (#"{"method":"a","id":{}}"#, [invalid]), (#"{"method":"a","extra":1,"id":3}"#, [invalid("3")]),
    (#"{"method":"a","method":"b","id":3}"#, [invalid("3")]),
    (#"{"method":"a","params":1,"id":3}"#, [invalid("3")]),
    // Batches: one line for all of it.
    ("[]", [invalid]),
    (#"[{"method":"a","id":1},{"method":"b","id":2}]"#, ["[\(success("1", "a")),\(success("2", "b"))]"]),
    (#"[{"method":"a"},{"method":"b"}]"#, []),
    (#"[{"method":"a"},{"method":"b","id":2}]"#, ["[\(success("2", "b"))]"]),
    (#"[1,{"method":"a","id":1},[]]"#, ["[\(invalid),\(invalid),\(success("1", "a"))]"]),
    (#"[1]{"method":"a","id":1}"#, ["[\(invalid)]", success("1", "a")]),
    // What is not JSON ends the connection; what came before it is answered.
    (#"{"method":"a","id":1}}{"method":"b","id":2}"#, [success("1", "a"), parse]),
    (#"{"method":"a","id":1}{"method":"#, [success("1", "a"), parse]),
    ("{", [parse]), ("nope", [parse]), (#"{"method":"\ud800","id":1}"#, [parse]), ("12", [invalid]), ("-", [parse]),
    ("", []), (" \n", []),
  ]

  @Test(arguments: conversations)
  func everySplitGivesTheSameReplies(text: String, expected: [String]) {
    let count = text.utf8.count
    let whole = replies(text)
    #expect(whole.lines == expected)
    #expect(whole.isFinished)
    for split in 0...count { #expect(replies(text, pieces: [split]).lines == expected, "split at \(split)") }
    #expect(replies(text, pieces: Array(0...count)).lines == expected)
  }

  @Test func boundsAreAnsweredLikeWhatIsNoJSON() {
    let limits = RPCLimits(json: JSONLimits(maximumByteCount: 60, maximumDepth: 3, maximumValueCount: 8))
    func request(_ params: String) -> String { #"{"method":"a","id":1,"params":\#(params)}"# }
    #expect(replies(request("[[1]]"), limits: limits).lines == [Self.success("1", "a")])
    #expect(replies(request("[[[1]]]"), limits: limits).lines == [Self.parse])
    #expect(replies(request("[1,2,3,4]"), limits: limits).lines == [Self.success("1", "a")])
    #expect(replies(request("[1,2,3,4,5]"), limits: limits).lines == [Self.parse])
    #expect(replies(request("\"" + String(repeating: "x", count: 60)), limits: limits).lines == [Self.parse])
  }

  @Test func repliesMayComeInAnyOrderAndLate() {
    var connection = RPCConnection()
    Array(#"{"method":"a","id":1}{"method":"b","id":2}[{"method":"c","id":3},{"method":"d","id":4}]"#.utf8)
      .withUnsafeBytes { connection.receive($0) }
    var requests: [RPCRequest] = []
    while let request = connection.nextRequest() { requests.append(request) }
    #expect(requests.map(\.method) == ["a", "b", "c", "d"])
    connection.endInput()
    #expect(connection.nextRequest() == nil)
    #expect(!connection.isFinished && !connection.wantsInput)
    connection.reply(to: requests[3].token, .success(.value(4)))
    #expect(connection.output.isEmpty)
    connection.reply(to: requests[1].token, .success(.value(2)))
    // A second reply to the same request is nobody's.
    connection.reply(to: requests[1].token, .success(.value(22)))
    connection.reply(to: requests[0].token, .success(.value(1)))
    connection.reply(to: requests[2].token, .success(.value(3)))
    #expect(
      String(decoding: connection.sendAll(), as: UTF8.self) == """
        {"jsonrpc":"2.0","id":2,"result":2}
        {"jsonrpc":"2.0","id":1,"result":1}
        [{"jsonrpc":"2.0","id":4,"result":4},{"jsonrpc":"2.0","id":3,"result":3}]

        """)
    #expect(connection.isFinished)
  }

  @Test func noMoreThanTheLimitAreOutstanding() {
    var connection = RPCConnection(limits: RPCLimits(maximumOutstandingCount: 3))
    let text = (0..<8).map { #"{"method":"m","id":\#($0)}"# }.joined()
    Array(text.utf8).withUnsafeBytes { connection.receive($0) }
    var requests: [RPCRequest] = []
    while let request = connection.nextRequest() { requests.append(request) }
    #expect(requests.count == 3)
    #expect(!connection.wantsInput)
    connection.endInput()
    #expect(!connection.isFinished)
    var answered = 0
    while answered < requests.count {
      connection.reply(to: requests[answered].token, .success(.value(nil)))
      answered += 1
      while let request = connection.nextRequest() { requests.append(request) }
      #expect(connection.outstandingCount <= 3)
    }
    #expect(answered == 8)
    _ = connection.sendAll()
    #expect(connection.isFinished)
    // A batch counts as its requests.
    var other = RPCConnection(limits: RPCLimits(maximumOutstandingCount: 3))
    Array((#"[{"method":"a"},{"method":"a"},{"method":"a"},{"method":"a"}]"#).utf8)
      .withUnsafeBytes { other.receive($0) }
    #expect(other.nextRequest() == nil)
    #expect(String(decoding: other.sendAll(), as: UTF8.self) == Self.invalid + "\n")
  }

  @Test func theRepliesOfABatchAreBounded() {
    var connection = RPCConnection(limits: RPCLimits(maximumOutputByteCount: 400))
    let text = "[" + (0..<10).map { #"{"method":"m","id":\#($0)}"# }.joined(separator: ",") + "]"
    Array(text.utf8).withUnsafeBytes { connection.receive($0) }
    var handed = 0
    while let request = connection.nextRequest() {
      handed += 1
      // What has not been handed out is to be asked for, and counts.
      #expect(connection.hasMore == (handed < 10) && !connection.wantsInput)
      connection.reply(to: request.token, .success(.value(.string(String(repeating: "x", count: 80)))))
    }
    #expect(handed == 4)
    let lines = String(decoding: connection.sendAll(), as: UTF8.self).split(separator: "\n")
    #expect(lines.count == 1)
    let replies = (try? JSONParser.value(of: String(lines.first ?? "")))?.arrayValue?.compactMap(\.objectValue) ?? []
    #expect(replies.map { $0["id"]?.integerValue(Int.self) } == Array(0..<10))
    let codes = replies.map { $0["error"]?.objectValue?["code"]?.integerValue(Int.self) }
    #expect(codes == Array(repeating: nil, count: 4) + Array(repeating: -12, count: 6))
    // Single ones, and the next batch, are as before.
    #expect(connection.wantsInput && !connection.hasMore && connection.memoryByteCount < 1000)
    Array(#"[{"method":"a","id":1}]{"method":"b","id":2}"#.utf8).withUnsafeBytes { connection.receive($0) }
    #expect(connection.nextRequest()?.method == "a" && connection.nextRequest()?.method == "b")
  }

  @Test func aReaderThatIsSlowIsNotReadFrom() {
    var connection = RPCConnection(limits: RPCLimits(maximumOutputByteCount: 100))
    let text = (0..<10).map { #"{"method":"m","id":\#($0)}"# }.joined()
    Array(text.utf8).withUnsafeBytes { connection.receive($0) }
    var handed = 0
    func work() {
      while let request = connection.nextRequest() {
        handed += 1
        connection.reply(to: request.token, .success(.value(.string(String(repeating: "x", count: 80)))))
      }
    }
    work()
    #expect(handed == 1)
    #expect(!connection.wantsInput && !connection.hasMore)
    for count in 2...10 {
      _ = connection.sendAll()
      // Nothing has come and nothing is wanted: whoever sends has to know that there is more.
      #expect(connection.hasMore && !connection.wantsInput)
      work()
      #expect(handed == count)
    }
    _ = connection.sendAll()
    #expect(connection.wantsInput && !connection.hasMore)
  }
}
