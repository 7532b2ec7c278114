import EmbeddedTarget
import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandLineTool

/// `nvmeof target`, as a user runs it.
@Suite(.serialized) struct TargetToolTests {
  @Test(arguments: [SIGINT, SIGTERM])
  func targetServesUntilASignal(signal: Int32) throws {
    let target = try ToolProcess([
      "target", "--port", "0", "--namespace", "memory:1M:4096", "--namespace", "null:1G,group=2", "--ana",
      "2=inaccessible", "-o", "json",
    ])
    let line = target.firstLine()
    let place = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    let uris = try #require(place["namespaces"] as? [String])
    #expect(uris.count == 2)
    let bytes = pattern(4096)
    #expect(try ToolProcess.run("write", uris[0], input: bytes).status == 0)
    #expect(try ToolProcess.run("read", uris[0]).output == bytes)
    let list = try ToolScene.json(
      try ToolProcess.run("list", try #require(place["discovery"] as? String), "-o", "json"))
    let devices = try #require(list["Devices"] as? [[String: Any]])
    #expect(devices.map { $0["ANAState"] as? String } == ["optimized", "inaccessible"])
    target.signal(signal)
    #expect(try target.finish().status == 0)
  }

  @Test func severalPortsAndSubsystems() throws {
    let target = try ToolProcess([
      "target", "--port", "0", "--port", "0", "-n", "nqn.x:a", "-n", "nqn.x:b", "--namespace", "memory:1M,group=2",
      "--namespace", "memory:2M:4096,subsystem=2", "--ana", "2:2=inaccessible", "-o", "json",
    ])
    let place = try #require(try JSONSerialization.jsonObject(with: Data(target.firstLine().utf8)) as? [String: Any])
    let ports = try #require(place["ports"] as? [[String: Any]])
    try #require(ports.count == 2)
    for (port, states) in zip(ports, [["optimized", "optimized"], ["inaccessible", "optimized"]]) {
      let discovery = try #require(port["discovery"] as? String)
      let list = try ToolScene.json(try ToolProcess.run("list", discovery, "--same-address", "-o", "json"))
      let devices = try #require(list["Devices"] as? [[String: Any]])
      let here = devices.filter { ($0["DevicePath"] as? String)?.contains(":\(port["port"] ?? "?")/") == true }
      #expect(here.map { $0["ANAState"] as? String } == states)
      #expect(here.map { $0["SectorSize"] as? Int } == [512, 4096])
    }
    target.signal(SIGTERM)
    #expect(try target.finish().status == 0)
  }

  @Test func targetIsChangedWhileItRuns() throws {
    let target = try ToolProcess(["target", "--port", "0", "--namespace", "memory:1M,group=2", "-o", "json"])
    let place = try #require(try JSONSerialization.jsonObject(with: Data(target.firstLine().utf8)) as? [String: Any])
    let discovery = try #require(place["discovery"] as? String)
    let first = try #require((place["namespaces"] as? [String])?.first)
    let port = try #require(place["port"] as? Int)
    func answer(_ line: String) throws -> [String: Any] {
      target.write(Array((line + "\n").utf8))
      return try #require(try JSONSerialization.jsonObject(with: Data(target.firstLine().utf8)) as? [String: Any])
    }
    func devices() throws -> [[String: Any]] {
      let list = try ToolScene.json(try ToolProcess.run("list", discovery, "-o", "json"))
      return try #require(list["Devices"] as? [[String: Any]])
    }

    #expect(
      try answer("# a comment is not answered\n\nana \(port) 2 inaccessible")["state"] as? String == "inaccessible")
    #expect(try devices().map { $0["ANAState"] as? String } == ["inaccessible"])
    #expect(try answer("ana 1 2 optimized")["port"] as? Int == port)

    for _ in 1...2 { #expect(try answer("port \(port) off")["state"] as? String == "off") }
    #expect(try ToolProcess.run("read", first).status != 0)
    for _ in 1...2 { #expect(try answer("port 1 on")["state"] as? String == "on") }
    #expect(try ToolProcess.run("read", first).status == 0)

    #expect(try answer("namespace add memory:2M:4096")["nsid"] as? Int == 2)
    #expect(try devices().map { $0["PhysicalSize"] as? Int } == [1 << 20, 2 << 20])
    #expect(try answer("namespace resize 2 4M")["ok"] as? Bool == true)
    #expect(try devices().map { $0["PhysicalSize"] as? Int } == [1 << 20, 4 << 20])
    #expect(try answer("namespace remove 2")["ok"] as? Bool == true)
    #expect(try devices().count == 1)

    #expect(try answer("faults add io:read status=2/0x81 count=1")["fault"] as? Int == 1)
    #expect(try ToolProcess.run("read", first).status == 1)
    let faults = try #require(try answer("faults list")["faults"] as? [[String: Any]])
    #expect(faults.map { $0["actions"] as? Int } == [1])
    #expect(faults.map { $0["rule"] as? String } == ["io:read status=2/0x81 count=1"])
    #expect(try answer("faults remove 1")["ok"] as? Bool == true)
    #expect(try ToolProcess.run("read", first).status == 0)

    for (line, problem) in [
      ("namespace remove 2", "has no namespace 2"), ("namespace add memory:1M,nsid=1", "has a namespace 1 already"),
      ("namespace resize 1 1", "smaller than a block"),
      ("port 9 off", "there is no port 9"),
      ("ana 9 2 optimized", "there is no port 9: write \(port) (or 1)"),
      ("faults remove 1", "there is no fault 1: there are none"), ("namespace add null:1M,subsystem=2", "subsystem 2"),
      ("faults add io close subsystem=2", "there is no subsystem 2"), ("frob", "is no command"),
    ] {
      let refused = try answer(line)
      #expect(refused["ok"] as? Bool == false, "\(line)")
      #expect((refused["error"] as? String)?.contains(problem) == true, "\(line): \(refused)")
    }
    #expect((try answer("help")["help"] as? [String])?.isEmpty == false)
    #expect(try answer("quit")["ok"] as? Bool == true)
    #expect(try target.finish(leavingInputOpen: true).status == 0)
  }

  @Test func endOfInputDoesNotEndTheTarget() throws {
    let target = try ToolProcess(["target", "--port", "0"])
    #expect(target.firstLine().hasPrefix("embedded target"))
    while !target.firstLine().hasPrefix("Ctrl-C") {}
    // The last line counts without a line break, too.
    target.write(Array("nonsense\nnamespace remove 1".utf8))
    try target.input.fileHandleForWriting.close()
    #expect(target.firstLine() == "error: \"nonsense\" is no command: port, ana, namespace, faults, help and quit are")
    #expect(target.firstLine() == "namespace 1 of \(TargetCommand.defaultNQN) is removed")
    usleep(100_000)
    #expect(target.process.isRunning)
    target.signal(SIGINT)
    #expect(try target.finish(leavingInputOpen: true).status == 0)
  }

  @Test(arguments: [
    (["--queue-entries", "1"], "--queue-entries is 2 to 4096, not 1"),
    (["--io-queues", "0"], "--io-queues is 1 to 1024, not 0"),
    (["--in-capsule-data", "100"], "--in-capsule-data is a multiple of 16 up to 1 MiB, not 100"),
    (["--namespace", "memory:64T"], "less than 64 TiB, not 70368744177664 and 140737488355328 bytes"),
  ])
  func limitsOfTheTargetAreNamedAsOptions(arguments: [String], problem: String) throws {
    let result = try ToolProcess(["target", "--port", "0"] + arguments).finish()
    #expect(result.status == 2)
    #expect(result.errors.contains(problem), "\(result.errors)")
  }
}
