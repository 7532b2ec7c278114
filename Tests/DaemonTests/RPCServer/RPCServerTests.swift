import Glibc
import JSONRPC
import RingReactor
import TestSupport
import Testing

@testable import Daemon

struct RPCServerTests {
  @Test func aCallThatTakesLongHoldsUpNoOther() async throws {
    let bed = try await RPCBed()
    let slow = try RPCPeer(bed)
    slow.send(#"{"method":"wait","id":1}{"method":"echo","params":{"value":7},"id":2}"#)
    // On the same connection its reply overtakes; on another one nobody notices.
    #expect(try await slow.reply()?["id"] == 2)
    let other = try RPCPeer(bed)
    other.send(#"{"method":"echo","params":{"value":[1]},"id":"x"}"#)
    #expect(try await other.reply()?["result"] == [1])
    bed.gate.open()
    #expect(try await slow.reply() == ["jsonrpc": "2.0", "id": 1, "result": "waited"])
    await bed.close()
  }

  @Test func methodsComeBackToTheReactor() async throws {
    let bed = try await RPCBed()
    let peer = try RPCPeer(bed)
    for number in 0..<50 { peer.send(#"{"method":"wander","id":\#(number)}"#) }
    for _ in 0..<50 { #expect(try await peer.reply()?["result"] == true) }
    await bed.close()
  }

  /// A call that goes on when there is no reactor any more, on the thread of whoever lets it.
  @Test func aCallThatOutlivesItsReactor() async throws {
    let bed = try await RPCBed()
    let peer = try RPCPeer(bed)
    peer.send(#"{"method":"wait","id":1}"#)
    try await eventually { bed.gate.waitingCount == 1 }
    bed.control.stop()
    bed.gate.open()
    try await eventually { bed.dispatcher.callCounts["wait"] != nil }
    #expect(try await peer.line() == nil)
  }

  @Test func halfClosedClientsGetWhatTheyAskedFor() async throws {
    let bed = try await RPCBed()
    let peer = try RPCPeer(bed)
    peer.send(#"{"method":"wait","id":1}"#)
    peer.endSending()
    try await eventually { bed.gate.waitingCount == 1 }
    bed.gate.open()
    #expect(try await peer.reply()?["result"] == "waited")
    #expect(try await peer.line() == nil)
    await bed.close()
  }

  @Test func clientsThatVanishLeaveNothing() async throws {
    let bed = try await RPCBed()
    for number in 0..<100 {
      let peer = try RPCPeer(bed)
      peer.send(
        ["", #"{"method":"#, #"{"method":"wait","id":1}"#, #"{"method":"large","id":1}{"method":"large","id":2}"#][
          number % 4])
    }
    // Those whose call has not ended are there until they can be told that it has.
    bed.gate.open()
    let peer = try RPCPeer(bed)
    peer.send(#"{"method":"echo","id":1}"#)
    #expect(try await peer.reply()?["result"] == .null)
    // Whoever has its answer came behind all the others.
    try await eventually { try await bed.clientCount == 1 }
    #expect(try await bed.sourceCount == 2)
    await bed.close()
    #expect(try await bed.sourceCount == 0)
  }

  @Test(arguments: ["large", "kept"]) func aReaderThatIsSlowGetsEverythingInTheEnd(method: String) async throws {
    let bed = try await RPCBed(limits: RPCLimits(maximumOutputByteCount: 1 << 17))
    let peer = try RPCPeer(bed)
    // 8 MiB of replies, of which few are made before they are read.
    peer.send((0..<64).map { #"{"method":"\#(method)","id":\#($0)}"# }.joined())
    try await eventually { (bed.dispatcher.callCounts[method]?.successCount ?? 0) > 0 }
    try await Task.sleep(for: .milliseconds(100))
    #expect((bed.dispatcher.callCounts[method]?.successCount ?? 0) < 16)
    var missing = Set((0..<64).map { #"{"jsonrpc":"2.0","id":\#($0),"result":"\#(RPCBed.largeText)"}"# })
    for _ in 0..<64 {
      let line = try #require(try await peer.line())
      #expect(missing.remove(line) != nil, "\(line.prefix(60))")
    }
    await bed.close()
  }

  /// The kernel's own waiting for room ends at once where a client has ended its side.
  @Test(arguments: ["large", "kept"]) func aHalfClosedReaderThatIsSlowGetsEverything(method: String) async throws {
    let bed = try await RPCBed()
    let peer = try RPCPeer(bed)
    peer.send((0..<16).map { #"{"method":"\#(method)","id":\#($0)}"# }.joined())
    peer.endSending()
    for _ in 0..<16 {
      try await Task.sleep(for: .milliseconds(20))
      #expect(try await peer.line()?.utf8.count ?? 0 > RPCBed.largeText.utf8.count)
    }
    #expect(try await peer.line() == nil)
    await bed.close()
  }

  @Test func theEndTellsThoseWhoAreThere() async throws {
    let bed = try await RPCBed()
    let idle = try RPCPeer(bed)
    let waiting = try RPCPeer(bed)
    waiting.send(#"{"method":"wait","id":1}"#)
    try await eventually { bed.gate.waitingCount == 1 }
    await bed.close()
    #expect(try await idle.line() == nil)
    #expect(try await waiting.line() == nil)
    #expect(throws: (any Error).self) { _ = try RPCPeer(bed) }
    #expect(access(bed.path, F_OK) != 0 && access(bed.path + ".lock", F_OK) != 0)
    // A call that ends after its client, and after the server.
    bed.gate.open()
    try await eventually { bed.dispatcher.callCounts["wait"]?.successCount == 1 }
  }

  /// However many clients there are: what is too much is refused, also for the sake of those that have gone.
  @Test func callsOfAllClientsAreBounded() async throws {
    var budget = RPCBudget.Limits()
    budget.maximumCallCount = 4
    budget.maximumCallByteCount = 4096
    let bed = try await RPCBed(budget: budget)
    for number in 0..<3 {
      let peer = try RPCPeer(bed)
      peer.send(#"{"method":"wait","id":\#(number)}"#)
      try await eventually { bed.gate.waitingCount == number + 1 }
    }
    let peer = try RPCPeer(bed)
    peer.send(#"{"method":"echo","params":{"value":"\#(String(repeating: "x", count: 4096))"},"id":1}"#)
    let refusal: JSONValue = ["code": -12, "message": "Cannot allocate memory"]
    #expect(try await peer.reply()?["error"] == refusal)
    peer.send(#"{"method":"wait","id":2}{"method":"echo","id":3}"#)
    #expect(try await peer.reply() == ["jsonrpc": "2.0", "id": 3, "error": refusal])
    bed.gate.open()
    #expect(try await peer.reply()?["result"] == "waited")
    peer.send(#"{"method":"echo","id":4}"#)
    #expect(try await peer.reply()?["result"] == .null)
    try await eventually { try await bed.callCount == 0 }
    await bed.close()
  }

  /// Requests that never come whole, and replies that nobody reads: whoever has most of them goes, and nobody else.
  @Test func greedyClientsAreCutOff() async throws {
    var budget = RPCBudget.Limits()
    budget.maximumClientByteCount = 4 << 20
    let bed = try await RPCBed(budget: budget)
    let witness = try RPCPeer(bed)
    let element = "\"" + String(repeating: "x", count: 500) + "\","
    let half = #"{"method":"echo","id":1,"params":{"value":["# + String(repeating: element, count: 600)
    let replies = (0..<8).map { #"{"method":"large","id":\#($0)}"# }.joined()
    var peers: [RPCPeer] = []
    for number in 0..<100 {
      let peer = try RPCPeer(bed)
      peer.send(number % 2 == 0 ? half : replies)
      peers.append(peer)
      witness.send(#"{"method":"echo","params":{"value":\#(number)},"id":\#(number)}"#)
      #expect(try await witness.reply()?["result"] == .integer(number))
    }
    // 50 halves of 300 KiB and 50 times 1 MiB of replies would be 64 MiB.
    #expect(try await bed.clientByteCount <= budget.maximumClientByteCount)
    try await eventually { try await bed.clientCount <= 20 }
    witness.send(#"{"method":"large","id":1}"#)
    #expect(try await witness.line()?.utf8.count ?? 0 > RPCBed.largeText.utf8.count)
    peers = []
    await bed.close()
  }

  /// A batch is answered as a whole, so that what it has so far waits: what would be too much is refused.
  @Test func aBatchIsBounded() async throws {
    let bed = try await RPCBed(limits: RPCLimits(maximumOutputByteCount: 1 << 20))
    let peer = try RPCPeer(bed)
    peer.send("[" + (0..<200).map { #"{"method":"large","id":\#($0)}"# }.joined(separator: ",") + "]")
    let line = try #require(try await peer.line())
    #expect(line.utf8.count < (1 << 20) + 2 * RPCBed.largeText.utf8.count)
    let replies = try JSONParser.value(of: line).arrayValue ?? []
    #expect(replies.count == 200)
    let answered = replies.filter { $0.objectValue?["result"] != nil }.count
    #expect(answered == (1 << 20) / RPCBed.largeText.utf8.count + 1)
    peer.send(#"{"method":"echo","id":4}"#)
    #expect(try await peer.reply()?["result"] == .null)
    await bed.close()
  }

  @Test func manyClientsAtOnce() async throws {
    let bed = try await RPCBed()
    await withTaskGroup(of: Int.self) { group in
      for client in 0..<4 {
        group.addTask {
          guard let peer = try? RPCPeer(bed) else { return 0 }
          peer.send((0..<1500).map { #"{"method":"echo","params":{"value":\#(client)},"id":\#($0)}"# }.joined())
          var count = 0
          while count < 1500, let reply = try? await peer.reply(), reply["result"] == .integer(client) { count += 1 }
          return count
        }
      }
      for await count in group { #expect(count == 1500) }
    }
    await bed.close()
  }
}
