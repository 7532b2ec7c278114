import ArgumentParser
import BlockDevice
import EmbeddedTarget
import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandLineTool

/// The built tool against the embedded target, as a user runs them.
@Suite(.serialized) struct ToolTests {
  static let nqn = "nqn.2014-08.org.example:cli-tests"

  /// A target with one namespace of 8 MiB with 512-byte blocks, and one with 4096-byte blocks.
  private static func withTarget(
    _ body: (_ target: EmbeddedTarget, _ port: UInt16, _ uri: String, _ other: String) async throws -> Void
  ) async throws {
    let target = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: nqn)
    subsystem.namespaces = [
      1: .memory(byteCount: 8 << 20, blockByteCount: 512), 2: .memory(byteCount: 8 << 20, blockByteCount: 4096),
    ]
    try await target.addSubsystem(subsystem)
    let port = try await target.addPort().port
    do {
      try await body(
        target, port, "nvme+tcp://127.0.0.1:\(port)/\(nqn)?nsid=1", "nvme+tcp://127.0.0.1:\(port)/\(nqn)?nsid=2")
    } catch {
      await target.stop()
      throw error
    }
    await target.stop()
  }

  private static func withFile(_ bytes: [UInt8]? = nil, _ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "nvmeof-cli-" + UUID().uuidString
    if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  private static func contents(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private static func json(_ result: ToolProcess.Result) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
  }

  @Test(arguments: [
    "discover", "list", "id-ctrl", "id-ns", "get-log", "get-feature", "read", "write", "copy", "target",
  ])
  func helpHasExamplesAndExitStatuses(command: String) throws {
    let result = try ToolProcess.run(command, "--help")
    #expect(result.status == 0)
    #expect(result.text.contains("EXAMPLES\n  nvmeof \(command)"))
    #expect(result.text.contains("\nEXIT STATUS\n  0    success"))
    #expect(result.errors.isEmpty)
  }

  @Test func usageErrorsAreTwo() throws {
    for arguments in [
      ["nonsense"], ["id-ctrl"], ["copy", "a"], ["read", "x"], ["get-log", "nvme+tcp://h/n"],
      ["id-ns", "--queue-size", "0", "nvme+tcp://h/n"],
    ] {
      let result = try ToolProcess(arguments).finish()
      #expect(result.status == 2, "\(arguments): \(result.errors)")
      #expect(!result.errors.isEmpty)
      #expect(result.output.isEmpty)
    }
  }

  @Test func connectionsThatFailAreThree() async throws {
    // Nobody listens on port 1 (tcpmux).
    let refused = try ToolProcess.run("id-ctrl", "nvme+tcp://127.0.0.1:1/\(Self.nqn)")
    #expect(refused.status == 3)
    #expect(refused.errors.contains("Connection refused"))
    try await Self.withTarget { _, port, _, _ in
      let unknown = try ToolProcess.run("id-ctrl", "-a", "127.0.0.1", "-s", "\(port)", "-n", "nqn.x:unknown")
      #expect(unknown.status == 3)
      #expect(unknown.errors.contains("no such subsystem NQN"))
    }
  }

  @Test func discoverPersistentShowsChangesAsTheyCome() async throws {
    try await Self.withTarget { target, port, uri, _ in
      let tool = try ToolProcess(["discover", "-a", "127.0.0.1", "-s", "\(port)", "--persistent", "-o", "json"])
      func next(_ event: String) throws -> [String: Any] {
        while true {
          let line = tool.firstLine()
          try #require(!line.isEmpty, "the tool has ended without \(event)")
          let document = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
          if document["event"] as? String == event { return document }
        }
      }
      let first = try #require(try next("attach")["uris"] as? [String])
      #expect(first.count == 1 && uri.hasPrefix(first[0]))
      try await target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:new"))
      let added = try #require(try next("log-changed")["added"] as? [[String: Any]])
      #expect(added.map { $0["subnqn"] as? String } == ["nqn.x:new"])
      _ = try next("attach")
      try await target.removeSubsystem("nqn.x:new")
      #expect((try next("detach")["uris"] as? [String])?.first?.hasSuffix("/nqn.x:new") == true)
      tool.signal(SIGINT)
      let result = try tool.finish()
      #expect(result.status == 0 && result.text.isEmpty && result.errors.isEmpty, "\(result.text) \(result.errors)")
      let human = try ToolProcess(["discover", "-a", "127.0.0.1", "-s", "\(port)", "--persistent"])
      #expect(human.firstLine().hasSuffix(": connected"))
      human.signal(SIGTERM)
      #expect(try human.finish().status == 0)
      let nobody = try ToolProcess.run("discover", "-a", "127.0.0.1", "-s", "1", "--persistent")
      #expect(nobody.status == 3 && nobody.errors.contains("Connection refused"))
    }
  }

  @Test func discoverListAndIdentify() async throws {
    try await Self.withTarget { _, port, uri, _ in
      let discovery = try Self.json(try ToolProcess.run("discover", "-a", "127.0.0.1", "-s", "\(port)", "-o", "json"))
      let records = try #require(discovery["records"] as? [[String: Any]])
      #expect(records.contains { $0["subnqn"] as? String == Self.nqn })
      let place = try #require(records.compactMap { $0["uri"] as? String }.first)
      #expect(uri.hasPrefix(place))

      let list = try Self.json(try ToolProcess.run("list", "-a", "127.0.0.1", "-s", "\(port)", "--output", "json"))
      let devices = try #require(list["Devices"] as? [[String: Any]])
      #expect(devices.map { $0["SectorSize"] as? Int } == [512, 4096])
      #expect(devices[0]["DevicePath"] as? String == uri)
      let same = try ToolProcess.run("list", "-a", "127.0.0.1", "-s", "\(port)", "--same-address", "-o", "json")
      #expect(try Self.json(same)["Devices"] != nil)
      #expect(same.text.contains(uri))
      let table = try ToolProcess.run("list", place)
      #expect(table.text.split(separator: "\n").count == 4)

      let controller = try Self.json(try ToolProcess.run("id-ctrl", uri, "-o", "json", "-g", "-G"))
      #expect(controller["subnqn"] as? String == Self.nqn)
      let raw = try ToolProcess.run("id-ctrl", uri, "-b")
      #expect(raw.output.count == 4096)
      #expect(try IdentifyController(decoding: raw.output).subsystemNQN == Self.nqn)
      let service = try Self.json(
        try ToolProcess.run("id-ctrl", "nvme+tcp://127.0.0.1:\(port)/\(NVMeQualifiedName.discovery)", "-o", "json"))
      #expect(service["cntrltype"] as? Int == 2)
      let namespace = try ToolProcess.run("id-ns", place, "--namespace-id", "2")
      #expect(namespace.text.contains("nsze     : 0x800\n"))
      let ambiguous = try ToolProcess.run("id-ns", place)
      #expect(ambiguous.status == 2)
      #expect(ambiguous.errors.contains("there are: 1, 2"))
      let missing = try ToolProcess.run("id-ns", place + "?nsid=9")
      #expect(missing.status == 1)

      for page in ["supported", "error", "smart", "firmware", "changed-ns", "effects", "ana"] {
        let log = try ToolProcess.run("get-log", uri, "--log-id", page, "-o", "json")
        #expect(log.status == 0, "\(page): \(log.errors)")
        _ = try Self.json(log)
      }
      let unsupported = try ToolProcess.run("get-log", uri, "--log-id", "0x81", "--log-len", "512")
      #expect(unsupported.status == 1)
      let feature = try ToolProcess.run("get-feature", uri, "-f", "7", "-H")
      #expect(feature.text.hasPrefix("get-feature:0x07 (Number of Queues), Current value:0x"))
      #expect(try ToolProcess.run("get-feature", uri, "-o", "json").status == 0)
    }
  }

  @Test func readAndWrite() async throws {
    try await Self.withTarget { target, _, uri, _ in
      let bytes = pattern(3 * 512)
      let written = try ToolProcess.run("write", uri, "--start-block", "7", "--flush", input: bytes)
      #expect(written.status == 0, "\(written.errors)")
      #expect(try await target.readNamespace(1, of: Self.nqn, offset: 7 * 512, byteCount: 3 * 512) == bytes)
      #expect(try ToolProcess.run("read", uri, "--start-block", "7", "--block-count", "2").output == bytes)
      let dump = try ToolProcess.run("read", uri, "--start-block", "7", "--hexdump").text
      #expect(dump == Hexdump.text(Array(bytes.prefix(512)), base: 7 * 512) + "\n")
      try await Self.withFile { path in
        #expect(try ToolProcess.run("read", uri, "-d", path, "-z", "4M").status == 0)
        let stored = try await target.readNamespace(1, of: Self.nqn, offset: 0, byteCount: 4 << 20)
        #expect(try Self.contents(path) == stored)
        let back = try ToolProcess.run("write", uri, "--start-block", "8192", "--data", path, "-f")
        #expect(back.status == 0)
      }
      #expect(
        try await target.readNamespace(1, of: Self.nqn, offset: (4 << 20) + 7 * 512, byteCount: 512)
          == Array(bytes.prefix(512)))
      let beyond = try ToolProcess.run("read", uri, "--start-block", "16384")
      #expect(beyond.status == 2)
      #expect(beyond.errors.contains("16384 blocks of 512 bytes, the last is 16383"))
      let odd = try ToolProcess.run("write", uri, input: pattern(100))
      #expect(odd.status == 2)
      let short = try ToolProcess.run("write", uri, "--blocks", "2", input: pattern(512))
      #expect(short.status == 2)
      #expect(try ToolProcess.run("write", uri, "-d", "/nonexistent/file").status == 4)
      // No more is read than is asked for: this file has no end.
      let zeroes = try ToolProcess.run("write", uri, "--start-block", "8", "--blocks", "1", "-d", "/dev/zero")
      #expect(zeroes.status == 0, "\(zeroes.errors)")
      #expect(
        try await target.readNamespace(1, of: Self.nqn, offset: 7 * 512, byteCount: 3 * 512)
          == bytes[..<512] + [UInt8](repeating: 0, count: 512) + bytes[1024...])
      let outside = try ToolProcess.run("write", uri, "--start-block", "16384", "--blocks", "1", "-d", "/dev/zero")
      #expect(outside.status == 2)
      #expect(outside.errors.contains("16384 blocks of 512 bytes, the last is 16383"), "\(outside.errors)")
    }
  }

  @Test func copyThereAndBack() async throws {
    try await Self.withTarget { target, _, uri, other in
      let bytes = pattern(3_000_000) + [UInt8](repeating: 0, count: 1 << 20) + pattern(777, seed: 2)
      try await Self.withFile(bytes) { path in
        let there = try ToolProcess.run("copy", path, uri, "--verify", "-g", "-G", "--depth", "8")
        #expect(there.status == 0, "\(there.errors)")
        #expect(there.errors.contains("; verified"))
      }
      #expect(try await target.readNamespace(1, of: Self.nqn, offset: 0, byteCount: bytes.count) == bytes)
      // Between block sizes, through a pipe, and into a sparse file.
      #expect(try ToolProcess.run("copy", uri, other, "--sparse", "--verify", "--quiet").status == 0)
      let streamed = try ToolProcess.run("copy", other, "-", "--length", "4M")
      #expect(streamed.status == 0)
      #expect(Array(streamed.output.prefix(bytes.count)) == bytes)
      try await Self.withFile { path in
        let back = try ToolProcess.run("copy", other, path, "--sparse", "-o", "json")
        let report = try Self.json(back)
        #expect(report["complete"] as? Bool == true)
        #expect(report["bytes"] as? Int == 8 << 20)
        #expect((report["zero_bytes"] as? Int ?? 0) > 4 << 20)
        #expect(Array(try Self.contents(path).prefix(bytes.count)) == bytes)
        #expect(report["verified"] as? Bool == false)
        let same = try ToolProcess.run("copy", uri, path, "--verify-only", "-o", "json")
        #expect(same.status == 0)
        #expect(try Self.json(same)["verified"] as? Bool == true)
        try await target.writeNamespace(1, of: Self.nqn, offset: 1_000_000, bytes: [1, 2, 3, 4])
        let differs = try ToolProcess.run("copy", uri, path, "--verify-only")
        #expect(differs.status == 5)
        #expect(differs.errors.contains("differs from"))
      }
      let piped = try ToolProcess.run("copy", "-", uri, "--verify", "--destination-offset", "1M", input: bytes)
      #expect(piped.status == 0, "\(piped.errors)")
      #expect(try await target.readNamespace(1, of: Self.nqn, offset: 1 << 20, byteCount: bytes.count) == bytes)
      // What has been done before is dropped from the stream.
      let changed = pattern(1 << 20, seed: 3)
      let resumed = try ToolProcess.run("copy", "-", uri, "--resume-from", "512K", input: changed)
      #expect(resumed.status == 0, "\(resumed.errors)")
      let stored = try await target.readNamespace(1, of: Self.nqn, offset: 512 << 10, byteCount: 512 << 10)
      #expect(stored == Array(changed[(512 << 10)...]))
      let short = try ToolProcess.run("copy", "-", uri, "--resume-from", "512K", input: pattern(1000))
      #expect(short.status == 4)
      #expect(short.errors.contains("ended after 1000 bytes"))
    }
  }

  @Test func copyTellsWhatIsBadAndGoesOn() async throws {
    try await Self.withTarget { target, _, uri, _ in
      let bytes = pattern(8 << 20)
      try await target.writeNamespace(1, of: Self.nqn, offset: 0, bytes: bytes)
      var rule = FaultRule(.ioCommand(opcode: 2), .status(.unrecoveredReadError))
      rule.blocks = 5000...5002
      let fault = try await target.addFault(rule)
      try await Self.withFile { path in
        let stopped = try ToolProcess.run("copy", uri, path)
        #expect(stopped.status == 1)
        #expect(stopped.errors.contains("read of blocks 5000…5000"))
        #expect(stopped.errors.contains("Unrecovered Read Error"))
        #expect(stopped.errors.contains("not complete; go on with the same command and --resume-from \(5000 * 512)\n"))
        let listed = try ToolProcess.run("copy", uri, path, "--continue-on-error", "-o", "json")
        #expect(listed.status == 6)
        let report = try Self.json(listed)
        let bad = try #require(report["bad_ranges"] as? [[String: Any]])
        #expect(bad.count == 1)
        #expect(bad[0]["source_lba"] as? Int == 5000)
        #expect(bad[0]["source_blocks"] as? Int == 3)
        #expect(report["resume_from"] is NSNull)
        #expect(try Self.contents(path).count == bytes.count)
        try await target.removeFault(fault)
        let resumed = try ToolProcess.run("copy", uri, path, "--resume-from", "\(5000 * 512)")
        #expect(resumed.status == 0)
        #expect(try Self.contents(path) == bytes)
      }
    }
  }

  @Test func aLostConnectionIsThree() async throws {
    try await Self.withTarget { target, _, uri, _ in
      var rule = FaultRule(.ioCommand(opcode: 2), .reset, count: 1)
      rule.blocks = 8000...8000
      try await target.addFault(rule)
      try await Self.withFile { path in
        let result = try ToolProcess.run("copy", uri, path, "--continue-on-error")
        #expect(result.status == 3, "\(result.errors)")
        let line = try #require(result.errors.split(separator: "\n").last)
        let offset = try #require(line.split(separator: " ").last.flatMap { Int($0) })
        #expect(offset <= 8000 * 512)
        let resumed = try ToolProcess.run("copy", uri, path, "--resume-from", "\(offset)", "--verify")
        #expect(resumed.status == 0, "\(resumed.errors)")
      }
    }
  }

  @Test func interruptEndsCleanly() async throws {
    try await Self.withTarget { target, _, uri, _ in
      let bytes = pattern(1 << 20)
      let tool = try ToolProcess(["copy", "-", uri, "--block-size", "64K"])
      // More than a pipe holds: when it is written, the copy is under way.
      tool.write(bytes)
      tool.signal(SIGINT)
      let result = try tool.finish(leavingInputOpen: true)
      #expect(result.status == 130, "\(result.errors)")
      let line = try #require(result.errors.split(separator: "\n").last)
      #expect(line.hasPrefix("nvmeof: not complete; go on with the same command and --resume-from "))
      let offset = try #require(line.split(separator: " ").last.flatMap { Int($0) })
      #expect(offset % 65_536 == 0)
      #expect((1...bytes.count).contains(offset))
      #expect(
        try await target.readNamespace(1, of: Self.nqn, offset: 0, byteCount: offset) == Array(bytes.prefix(offset)))
    }
  }

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
    let list = try Self.json(try ToolProcess.run("list", try #require(place["discovery"] as? String), "-o", "json"))
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
      let list = try Self.json(try ToolProcess.run("list", discovery, "--same-address", "-o", "json"))
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
      let list = try Self.json(try ToolProcess.run("list", discovery, "-o", "json"))
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

  /// Runs `nvmeof export` with arguments that it must refuse.
  private static func refusedExport(_ arguments: String...) throws -> ToolProcess.Result {
    let socket = NSTemporaryDirectory() + "nvmeof-cli-\(UInt32.random(in: 0 ... .max))"
    return try ToolProcess(["export", "--socket", socket] + arguments).finish()
  }

  @Test func exportLeavesFilesOfAnotherSizeAlone() async throws {
    let bytes = (0..<1 << 16).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try await Self.withFile(bytes) { path in
      for size in ["32K", "128K"] {
        let result = try Self.refusedExport("file:\(path):\(size):512")
        #expect(result.status == 4)
        #expect(result.errors.contains("has 65536 bytes, not \(size == "32K" ? 32768 : 131_072)"))
        let target = try ToolProcess.run("target", "--port", "0", "--namespace", "file:\(path):\(size):512")
        #expect(target.status == 4)
        #expect(target.errors.contains("has 65536 bytes"))
      }
      #expect(try Self.contents(path) == bytes)
      let missing = try Self.refusedExport("file:\(path).new:64K:512", "--read-only")
      #expect(missing.status == 4)
      #expect(!FileManager.default.fileExists(atPath: path + ".new"))
    }
  }

  @Test func exportRefusesWhatHoldsNoBlock() async throws {
    for path in ["/dev/zero", "/dev/null"] {
      let result = try Self.refusedExport("file:\(path)")
      #expect(result.status == 4)
      #expect(result.errors.contains("\(path) is neither a regular file nor a block device"))
    }
    try await Self.withFile([]) { path in
      let result = try Self.refusedExport(path)
      #expect(result.status == 4)
      #expect(result.errors.contains("has 0 bytes, less than a block of 512"))
    }
  }

  @Test func exportTellsOfAnEndThatIsNotServed() async throws {
    try await Self.withFile([UInt8](repeating: 1, count: 1000)) { path in
      let socket = path + ".sock"
      let tool = try ToolProcess(["export", path, "--socket", socket])
      while !tool.firstLine().hasPrefix("Ctrl-C") {}
      tool.signal(SIGTERM)
      let result = try tool.finish()
      #expect(result.errors == "nvmeof: \(path): the last 488 bytes are less than a block of 512, and not served\n")
    }
  }

  @Test func exportTellsWhatWouldHelp() async throws {
    let twice = try Self.refusedExport("memory:1M", "memory:1M")
    #expect(twice.status == 2)
    #expect(twice.errors.contains("there is an export of this name already; --name gives it another"))
  }

  @Test func exportOfAFileThatMayNotBeWrittenHelpsOn() async throws {
    if geteuid() == 0 { try Test.cancel("NOT RUN as root, who may write any file") }
    try await Self.withFile([UInt8](repeating: 1, count: 1024)) { path in
      chmod(path, 0o400)
      let result = try Self.refusedExport(path)
      #expect(result.errors.contains("--read-only"))
    }
  }

  @Test func version() throws {
    let result = try ToolProcess.run("--version")
    #expect(result.status == 0)
    #expect(result.text == "nvmeof \(PackageVersion.current)\n")
  }

  @Test func wrongTargetsAreTwo() throws {
    for arguments in [
      ["--namespace", "disk:1M"], ["--address", "localhost"], ["--nqn", "a b"], ["--ana", "x"],
      ["--ana", "7:1=change"],
    ] {
      let result = try ToolProcess(["target", "--port", "0"] + arguments).finish()
      #expect(result.status == 2, "\(arguments): \(result.errors)")
    }
    let missing = try ToolProcess.run("target", "--port", "0", "--namespace", "file:/nonexistent/disk.img")
    #expect(missing.status == 4)
    #expect(missing.errors.contains("/nonexistent/disk.img"))
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

  @Test func outputThatCannotBeWrittenIsFour() throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let lost = try ToolProcess(["--help"], standardOutput: full).finish()
    #expect(lost.status == 4)
    #expect(lost.errors == "nvmeof: standard output cannot be written: No space left on device\n")
    // A reader that has gone knows.
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let unread = try ToolProcess(["--help"], standardOutput: pipe.fileHandleForWriting).finish()
    #expect(unread.status == 4)
    #expect(unread.errors.isEmpty, "\(unread.errors)")
  }

  @Test func aWrongCopyLeavesNoFile() async throws {
    try await Self.withTarget { _, _, uri, _ in
      try await Self.withFile { path in
        for (option, value) in [("--length", "16M"), ("--destination-offset", "9223372036854775000")] {
          let result = try ToolProcess.run("copy", uri, path, option, value)
          #expect(result.status == 2)
          #expect(result.errors.contains("\(option) "), "\(result.errors)")
          #expect(!FileManager.default.fileExists(atPath: path))
        }
      }
    }
  }

  @Test func copiesThatCannotGoOnAreNotToldHow() async throws {
    try await Self.withTarget { _, _, uri, _ in
      let filled = try ToolProcess.run("copy", "/dev/zero", uri)
      #expect(filled.status == 1)
      #expect(filled.errors.contains("is longer than what is left of"))
      #expect(!filled.errors.contains("--resume-from"), "\(filled.errors)")
      let pipe = Pipe()
      try pipe.fileHandleForReading.close()
      let unread = try ToolProcess(["copy", uri, "-"], standardOutput: pipe.fileHandleForWriting).finish()
      #expect(unread.status == 4)
      #expect(unread.errors.contains("Broken pipe"))
      #expect(!unread.errors.contains("--resume-from"), "\(unread.errors)")
    }
  }

  @Test func piecesOfLogPagesAreDumped() async throws {
    try await Self.withTarget { _, _, uri, _ in
      let piece = try ToolProcess.run("get-log", uri, "--log-id", "smart", "-l", "4")
      #expect(piece.status == 0, "\(piece.errors)")
      #expect(piece.text.contains("log-id:2"))
      let raw = try Self.json(try ToolProcess.run("get-log", uri, "--log-id", "smart", "-l", "4", "-o", "json"))
      #expect((raw["data"] as? String)?.count == 8)
      // The beginning of a list is a list.
      let entry = try ToolProcess.run("get-log", uri, "--log-id", "error", "-l", "64", "-o", "json")
      #expect(try Self.json(entry)["errors"] != nil)
      let same = try ToolProcess.run("error-log", uri, "-e", "1", "-o", "json")
      #expect(same.output == entry.output)
    }
  }

  @Test func exportEndsWithItsNamespace() async throws {
    try await Self.withTarget { target, _, uri, other in
      try await Self.withFile { path in
        let export = try ToolProcess(["export", uri, other, "--socket", path, "-o", "json"])
        _ = export.firstLine()
        try await target.removeNamespace(1, from: Self.nqn)
        // The other one goes on.
        usleep(200_000)
        #expect(export.process.isRunning)
        try await target.closeConnections(reset: true)
        try await target.removeNamespace(2, from: Self.nqn)
        let result = try export.finish()
        #expect(result.status == 3)
        #expect(result.errors.contains("/1: the controller has no such namespace"))
        #expect(result.errors.contains("/2: the controller has no such namespace"))
      }
    }
  }

  @Test func exportListensAtEachPlaceThatIsNamed() async throws {
    try await Self.withFile { path in
      let export = try ToolProcess([
        "export", "memory:1M", "--socket", path, "--address", "127.0.0.1", "--port", "0", "-o", "json",
      ])
      let line = export.firstLine()
      let place = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect((place["addresses"] as? [String])?.count == 2)
      export.signal(SIGTERM)
      #expect(try export.finish().status == 0)
      #expect(
        try ExportCommand.parse(["memory:1M", "--socket", path, "--address", "0.0.0.0"]).listenAddresses.count == 2)
      #expect(try ExportCommand.parse(["memory:1M", "--socket", path]).listenAddresses.count == 1)
    }
  }
}
