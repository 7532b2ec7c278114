import BlockDevice
import EmbeddedTarget
import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandLineTool

/// The built tool against the embedded target, as a user runs it.
@Suite(.serialized) struct ToolTests {
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
    let refused = try ToolProcess.run("id-ctrl", "nvme+tcp://127.0.0.1:1/\(ToolScene.nqn)")
    #expect(refused.status == 3)
    #expect(refused.errors.contains("Connection refused"))
    try await ToolScene.withTarget { _, port, _, _ in
      let unknown = try ToolProcess.run("id-ctrl", "-a", "127.0.0.1", "-s", "\(port)", "-n", "nqn.x:unknown")
      #expect(unknown.status == 3)
      #expect(unknown.errors.contains("no such subsystem NQN"))
    }
  }

  @Test func discoverPersistentShowsChangesAsTheyCome() async throws {
    try await ToolScene.withTarget { target, port, uri, _ in
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
    try await ToolScene.withTarget { _, port, uri, _ in
      let discovery = try ToolScene.json(
        try ToolProcess.run("discover", "-a", "127.0.0.1", "-s", "\(port)", "-o", "json"))
      let records = try #require(discovery["records"] as? [[String: Any]])
      #expect(records.contains { $0["subnqn"] as? String == ToolScene.nqn })
      let place = try #require(records.compactMap { $0["uri"] as? String }.first)
      #expect(uri.hasPrefix(place))

      let list = try ToolScene.json(try ToolProcess.run("list", "-a", "127.0.0.1", "-s", "\(port)", "--output", "json"))
      let devices = try #require(list["Devices"] as? [[String: Any]])
      #expect(devices.map { $0["SectorSize"] as? Int } == [512, 4096])
      #expect(devices[0]["DevicePath"] as? String == uri)
      let same = try ToolProcess.run("list", "-a", "127.0.0.1", "-s", "\(port)", "--same-address", "-o", "json")
      #expect(try ToolScene.json(same)["Devices"] != nil)
      #expect(same.text.contains(uri))
      let table = try ToolProcess.run("list", place)
      #expect(table.text.split(separator: "\n").count == 4)

      let controller = try ToolScene.json(try ToolProcess.run("id-ctrl", uri, "-o", "json", "-g", "-G"))
      #expect(controller["subnqn"] as? String == ToolScene.nqn)
      let raw = try ToolProcess.run("id-ctrl", uri, "-b")
      #expect(raw.output.count == 4096)
      #expect(try IdentifyController(decoding: raw.output).subsystemNQN == ToolScene.nqn)
      let service = try ToolScene.json(
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
        _ = try ToolScene.json(log)
      }
      let unsupported = try ToolProcess.run("get-log", uri, "--log-id", "0x81", "--log-len", "512")
      #expect(unsupported.status == 1)
      let feature = try ToolProcess.run("get-feature", uri, "-f", "7", "-H")
      #expect(feature.text.hasPrefix("get-feature:0x07 (Number of Queues), Current value:0x"))
      #expect(try ToolProcess.run("get-feature", uri, "-o", "json").status == 0)
    }
  }

  @Test func readAndWrite() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(3 * 512)
      let written = try ToolProcess.run("write", uri, "--start-block", "7", "--flush", input: bytes)
      #expect(written.status == 0, "\(written.errors)")
      #expect(try await target.readNamespace(1, of: ToolScene.nqn, offset: 7 * 512, byteCount: 3 * 512) == bytes)
      #expect(try ToolProcess.run("read", uri, "--start-block", "7", "--block-count", "2").output == bytes)
      let dump = try ToolProcess.run("read", uri, "--start-block", "7", "--hexdump").text
      #expect(dump == Hexdump.text(Array(bytes.prefix(512)), base: 7 * 512) + "\n")
      try await ToolScene.withFile { path in
        #expect(try ToolProcess.run("read", uri, "-d", path, "-z", "4M").status == 0)
        let stored = try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: 4 << 20)
        #expect(try ToolScene.contents(path) == stored)
        let back = try ToolProcess.run("write", uri, "--start-block", "8192", "--data", path, "-f")
        #expect(back.status == 0)
      }
      #expect(
        try await target.readNamespace(1, of: ToolScene.nqn, offset: (4 << 20) + 7 * 512, byteCount: 512)
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
        try await target.readNamespace(1, of: ToolScene.nqn, offset: 7 * 512, byteCount: 3 * 512)
          == bytes[..<512] + [UInt8](repeating: 0, count: 512) + bytes[1024...])
      let outside = try ToolProcess.run("write", uri, "--start-block", "16384", "--blocks", "1", "-d", "/dev/zero")
      #expect(outside.status == 2)
      #expect(outside.errors.contains("16384 blocks of 512 bytes, the last is 16383"), "\(outside.errors)")
    }
  }

  @Test func aLostConnectionIsThree() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      var rule = FaultRule(.ioCommand(opcode: 2), .reset, count: 1)
      rule.blocks = 8000...8000
      try await target.addFault(rule)
      try await ToolScene.withFile { path in
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
    try await ToolScene.withTarget { target, _, uri, _ in
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
        try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: offset)
          == Array(bytes.prefix(offset)))
    }
  }

  @Test func version() throws {
    let result = try ToolProcess.run("--version")
    #expect(result.status == 0)
    #expect(result.text == "nvmeof \(PackageVersion.current)\n")
  }

  /// What is meant for an output that was closed before the start goes nowhere, least of all to the socket that would
  /// have got its number.
  @Test(arguments: [">&-", "2>&-", "<&- >&- 2>&-"]) func closedDescriptors(_ redirection: String) async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      for (arguments, status) in [(["id-ctrl", uri], Int32(4)), (["copy", uri, "-"], 4)] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", #"exec "$0" "$@" \#(redirection)"#, ToolProcess.executable.path] + arguments
        process.standardOutput = FileHandle.nullDevice
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == (redirection.contains(">&-") && redirection != "2>&-" ? status : 0))
        if redirection == ">&-" { #expect(text.contains("Bad file descriptor"), "\(text)") }
      }
    }
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

  @Test func piecesOfLogPagesAreDumped() async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      let piece = try ToolProcess.run("get-log", uri, "--log-id", "smart", "-l", "4")
      #expect(piece.status == 0, "\(piece.errors)")
      #expect(piece.text.contains("log-id:2"))
      let raw = try ToolScene.json(try ToolProcess.run("get-log", uri, "--log-id", "smart", "-l", "4", "-o", "json"))
      #expect((raw["data"] as? String)?.count == 8)
      let beyond = try ToolProcess.run(
        "get-log", uri, "--log-id", "smart", "--lpo", "0xfffffffffffffffc", "-l", "8")
      #expect(beyond.status == 2)
      #expect(beyond.errors.contains("reach beyond 64 bits"), "\(beyond.errors)")
      // The beginning of a list is a list.
      let entry = try ToolProcess.run("get-log", uri, "--log-id", "error", "-l", "64", "-o", "json")
      #expect(try ToolScene.json(entry)["errors"] != nil)
      let same = try ToolProcess.run("error-log", uri, "-e", "1", "-o", "json")
      #expect(same.output == entry.output)
    }
  }
}
