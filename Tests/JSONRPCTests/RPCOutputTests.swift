import JSONRPC
import Testing

struct RPCOutputTests {
  private static let long = Array("[\((0..<3000).map(String.init).joined(separator: ","))]".utf8)

  /// A connection that has been asked for the long text so many times, between short ones, by a batch at last.
  private func connection() -> (RPCConnection, expected: String) {
    var connection = RPCConnection()
    let request = #"{"method":"short","id":1}{"method":"long","id":2}"#
    let text = request + request + request + #"[{"method":"long","id":3},{"method":"long","id":4}]"#
    Array(text.utf8).withUnsafeBytes { connection.receive($0) }
    while let request = connection.nextRequest() {
      connection.reply(to: request.token, .success(request.method == "long" ? .text(Self.long) : .value("x")))
    }
    let long = String(decoding: Self.long, as: UTF8.self)
    func reply(_ number: Int) -> String {
      #"{"jsonrpc":"2.0","id":\#(number),"result":\#(number == 1 ? #""x""# : long)}"#
    }
    let pair = reply(1) + "\n" + reply(2) + "\n"
    return (connection, pair + pair + pair + "[\(reply(3)),\(reply(4))]\n")
  }

  @Test(arguments: [1, 2, 3, 7, 64, 4095, 4096, 4097, 13_000, 14_000, .max])
  func everyPieceGivesTheSameBytes(pieceByteCount: Int) {
    var (connection, expected) = connection()
    #expect(connection.output.count == expected.utf8.count)
    #expect(String(decoding: connection.sendAll(pieceByteCount: pieceByteCount), as: UTF8.self) == expected)
    #expect(connection.output.isEmpty && connection.output.count == 0)
    connection.endInput()
    #expect(connection.nextRequest() == nil && connection.isFinished)
  }

  @Test func aLongTextIsSentFromWhereItIs() {
    let (connection, _) = connection()
    let kept = Self.long.withUnsafeBytes { $0.baseAddress! }
    let count = connection.output.withFront { front in
      front.count { $0.baseAddress == kept && $0.count == Self.long.count }
    }
    #expect(count == 5)
  }

  @Test func theFrontIsBounded() {
    var connection = RPCConnection()
    Array(String(repeating: #"{"method":"long","id":2}"#, count: 100).utf8).withUnsafeBytes { connection.receive($0) }
    while let request = connection.nextRequest() { connection.reply(to: request.token, .success(.text(Self.long))) }
    #expect(connection.output.withFront { $0.count } == RPCOutput.maximumFrontCount)
    #expect(connection.sendAll().count > 100 * Self.long.count)
  }
}
