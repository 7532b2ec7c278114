import BlockExport
import Logging
import NBDProtocol
@testable import NBDServer
import RingReactor
import Synchronization
import TestSupport
import Testing

/// What the server tells of its clients.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LogTests {
  @Test func aClientsLife() async throws {
    let lines = LogRecorder()
    let scene = try await ServerTests.Scene(logger: lines.logger(.debug))
    try scene.add(scene.memory())
    let client = try TestClient(scene.address)
    try client.greet()
    // One that nobody knows, and an export that there is not.
    try client.option(999)
    _ = try client.optionReply()
    try client.option(6, [0, 0, 0, 3] + Array("abc".utf8) + [0, 0])
    _ = try client.optionReply()
    client.hangUp()
    try await eventually { lines.count("debug a client has gone") == 1 }
    #expect(lines.count("info NBD clients are served address=") == 1)
    #expect(lines.count("debug a client has connected client=1 peer=process ") == 1)
    let refused = lines.lines.filter { $0.hasPrefix("debug an option is refused client=1") }
    #expect(refused.count == 2)
    #expect(refused[0].contains("option=999 ") && refused[0].contains("reason=option 999 is not supported"))
    #expect(refused[1].contains("option=6 ") && refused[1].contains("reason=there is no export of this name"))
    #expect(lines.lines.last?.contains("reason=the client has closed the connection") == true)

    let user = try TestClient(scene.address)
    try user.go("disk")
    try user.write(at: 0, [UInt8](repeating: 1, count: 4096))
    try user.request(.disconnect)
    try await eventually { lines.count("info a client has gone") == 1 }
    #expect(lines.count("info a client uses an export client=2 export=disk peer=process ") == 1)
    let end = try #require(lines.lines.last)
    #expect(end.contains("reason=the client has disconnected") && end.contains("requests=1 "))
    let staying = try TestClient(scene.address)
    try staying.go("disk")
    #expect(try await scene.end() == 0)
    #expect(lines.lines.contains { $0.contains("client=3") && $0.contains("reason=the server shuts down") })
    #expect(lines.count("info NBD clients are served no more address=") == 1)
  }

  @Test func whoComesTooOftenDoesNotFillTheLog() {
    let lines = LogRecorder()
    let log = NBDClientLog(lines.logger(.info))
    let second: UInt64 = 1_000_000_000
    for _ in 0..<1000 { log.write(.info, "line", nowNanoseconds: 5 * second, [:]) }
    #expect(lines.lines == Array(repeating: "info line", count: Int(NBDClientLog.burst)))
    for _ in 0..<1000 { log.write(.info, "line", nowNanoseconds: 6 * second, [:]) }
    #expect(lines.lines.count == Int(NBDClientLog.burst + NBDClientLog.linesPerSecond))
    #expect(lines.lines[Int(NBDClientLog.burst)] == "info line omitted_lines=800")
    // What nobody is told takes nothing from what is.
    for _ in 0..<1000 { log.write(.debug, "detail", nowNanoseconds: 3600 * second, [:]) }
    for _ in 0..<1000 { log.write(.info, "line", nowNanoseconds: 3600 * second, [:]) }
    #expect(lines.lines.count == 2 * Int(NBDClientLog.burst) + Int(NBDClientLog.linesPerSecond))
  }

  @Test func longTextsAreCut() {
    #expect(NBDClientLog.shortened("disk") == "disk")
    #expect(NBDClientLog.shortened(String(repeating: "x", count: 4096)).count == 65)
  }
}
