import ArgumentParser
import NVMeProtocol
import Testing

@testable import CommandLineTool
@testable import EmbeddedTarget

/// What lines of standard input mean to a running target.
@Suite struct ControlCommandTests {
  private static func problem(_ line: String) -> String {
    do throws(ToolError) {
      return "no error: " + (try ControlCommand(parsing: line).map { "\($0)" } ?? "nothing")
    } catch {
      return error.description
    }
  }

  private static func fault(_ text: String) throws -> FaultSpecification {
    try FaultSpecification(parsing: text.split(separator: " "))
  }

  @Test func commands() throws {
    #expect(try ControlCommand(parsing: "") == nil)
    #expect(try ControlCommand(parsing: "  \t\r") == nil)
    #expect(try ControlCommand(parsing: " # ana 1 1 change") == nil)
    #expect(try ControlCommand(parsing: "help") == .help)
    #expect(try ControlCommand(parsing: " quit ") == .quit)
    #expect(try ControlCommand(parsing: "port 4420 off") == .setPort(4420, isOpen: false))
    #expect(try ControlCommand(parsing: "port 1 on") == .setPort(1, isOpen: true))
    #expect(
      try ControlCommand(parsing: "ana 4420 2 inaccessible")
        == .setAccessState(port: 4420, group: 2, state: .inaccessible))
    #expect(
      try ControlCommand(parsing: "namespace add file:a b.img:4096,nsid=7,subsystem=2")
        == .addNamespace(try NamespaceSpecification(parsing: "file:a b.img:4096,nsid=7,subsystem=2")))
    #expect(try ControlCommand(parsing: "namespace remove 3") == .removeNamespace(3, subsystem: 1))
    #expect(
      try ControlCommand(parsing: "namespace resize 3 2M subsystem=2")
        == .resizeNamespace(3, byteCount: 2 << 20, subsystem: 2))
    #expect(try ControlCommand(parsing: "faults list") == .listFaults)
    #expect(try ControlCommand(parsing: "faults remove 4") == .removeFault(4))
    #expect(try ControlCommand(parsing: "faults remove all") == .removeAllFaults)
  }

  @Test(arguments: [
    ("frob", "\"frob\" is no command: port, ana, namespace, faults, help and quit are"),
    ("port 4420", "write port PORT off or port PORT on, such as: port 4420 off"),
    ("port 0 off", "port: a port is a number from 1 to 65535, not \"0\""),
    ("port 4420 away", "port: off and on are allowed, not \"away\""),
    ("quit now", "quit takes nothing, not \"now\""),
    ("ana 4420", "write ana PORT GROUP STATE, such as: ana 4420 2 inaccessible"),
    ("ana 0 1 change", "ana: a port is a number from 1 to 65535, not \"0\""),
    ("ana 4420 33 change", "ana: a group is a number from 1 to 32, not \"33\""),
    (
      "ana 4420 1 gone",
      "ana: a state is one of optimized, non-optimized, inaccessible, persistent-loss, change, not \"gone\""
    ),
    ("namespace", "write namespace add, namespace remove or namespace resize"),
    ("namespace grow 1", "namespace: add, remove and resize are allowed, not \"grow\""),
    ("namespace add disk:1M", "namespace disk:1M: it begins with memory:, null: or file:"),
    ("namespace remove 0", "namespace: an NSID is a number from 1 on, not \"0\""),
    ("namespace remove 1 2", "namespace: only subsystem=N may follow, with N from 1 on, not \"2\""),
    ("namespace resize 1 big", "namespace resize: a size is a number of bytes such as 128M, not \"big\""),
    ("faults drop", "faults: add, list and remove are allowed, not \"drop\""),
    ("faults remove x", "faults remove: write a number that faults list shows, or all, not \"x\""),
  ])
  func wrongCommands(line: String, message: String) {
    #expect(Self.problem(line) == message)
  }

  @Test func messagesDoNotRepeatEndlessInput() {
    #expect(Self.problem(String(repeating: "x", count: 100_000)).count < 200)
  }

  @Test func faults() throws {
    #expect(try Self.fault("connection reset").trigger == .connection)
    #expect(try Self.fault("initialization close").action == .close)
    #expect(try Self.fault("admin never-answer").trigger == .adminCommand())
    #expect(try Self.fault("admin:keep-alive silence").trigger == .adminCommand(opcode: 0x18))
    #expect(try Self.fault("admin:get-log-page silence").trigger == .adminCommand(opcode: 0x02))
    #expect(try Self.fault("io:write-zeroes header-digest").trigger == .ioCommand(opcode: 0x08))
    #expect(try Self.fault("io:0xC1 data-digest").trigger == .ioCommand(opcode: 0xC1))
    #expect(try Self.fault("fabrics:connect close").trigger == .fabricsCommand(.connect))
    #expect(try Self.fault("io delay=5ms").action == .delay(nanoseconds: 5_000_000))
    #expect(try Self.fault("io delay=2s").action == .delay(nanoseconds: 2_000_000_000))
    #expect(try Self.fault("io delay=7us").action == .delay(nanoseconds: 7000))
    #expect(
      try Self.fault("io status=2/0x81/dnr").action
        == .status(StatusField(.mediaAndDataIntegrity, 0x81, doNotRetry: true)))
    let full = try Self.fault("io:read reset count=2 skip=3 probability=0.5 nsid=4 blocks=0x10-0x1F subsystem=2")
    let rule = full.rule(subsystemNQN: "nqn.x:y")
    #expect(rule.trigger == .ioCommand(opcode: 2) && rule.action == .reset)
    #expect(rule.count == 2 && rule.skipCount == 3 && rule.probability == 0.5)
    #expect(rule.namespaceIdentifier == 4 && rule.blocks == 16...31 && rule.subsystemNQN == "nqn.x:y")
    #expect(full.subsystem == 2)
  }

  @Test(arguments: [
    "", "io", "disk reset", "connection:1 reset", "io:nothing reset", "io:256 reset", "fabrics:2 reset", "io explode",
    "io delay", "io delay=5", "io delay=x5ms", "io delay=2d", "io delay=99999999999s", "io status=0/0", "io status=8/1",
    "io status=2", "io status=2/0x81/more", "io close=1", "io close count=0", "io close probability=2",
    "io close probability=nan", "io close blocks=5", "io close blocks=9-5", "io close nsid=0", "io close x=1",
    "io close count", "io delay=+5ms", "io close count=+1", "io:0x reset",
  ])
  func wrongFaults(text: String) {
    #expect(throws: ToolError.self) { _ = try Self.fault(text) }
  }

  @Test func wrongFaultsNameWhatIsAllowed() {
    #expect(
      Self.problem("faults add io explode")
        == "faults add: an action is \(FaultSpecification.actions), not \"explode\"")
    #expect(Self.problem("faults add io:frob reset").contains("or one of flush, write, read"))
  }

  @Test func namesOfOpcodes() {
    #expect(FaultSpecification.hyphenated("writeZeroes") == "write-zeroes")
    #expect(FaultSpecification.hyphenated("deleteIOSubmissionQueue") == "delete-io-submission-queue")
    #expect(FaultSpecification.hyphenated("formatNVM") == "format-nvm")
  }

  @Test func portsByNumberOrPlace() throws {
    let ports = [
      EmbeddedTarget.Port(identifier: 1, host: "127.0.0.1", port: 4420),
      EmbeddedTarget.Port(identifier: 2, host: "127.0.0.1", port: 4421),
    ]
    #expect(try TargetControl.port(4421, of: ports).identifier == 2)
    #expect(try TargetControl.port(1, of: ports).identifier == 1)
    #expect(throws: ToolError.usage("there is no port 3: write 4420 (or 1), 4421 (or 2)")) {
      _ = try TargetControl.port(3, of: ports)
    }
  }

  @Test func namespacesGetNumbers() throws {
    func served(_ arguments: String...) throws -> [[UInt32: NamespaceSpecification]] {
      try TargetCommand.parse(arguments.flatMap { $0.split(separator: " ").map(String.init) }).served()
    }
    #expect(try served("").map { $0.keys.sorted() } == [[1]])
    #expect(try served("-n nqn.x:a -n nqn.x:b").map { $0.keys.sorted() } == [[1], [1]])
    let two = try served(
      "-n nqn.x:a -n nqn.x:b", "--namespace null:1M --namespace null:2M,nsid=1 --namespace null:3M,subsystem=2")
    #expect(two.map { $0.keys.sorted() } == [[1, 2], [1]])
    #expect(two[0][1]?.kind == .null(byteCount: 2 << 20))
    #expect(throws: ToolError.self) { try served("--namespace null:1M,nsid=3 --namespace null:1M,nsid=3") }
    #expect(throws: (any Error).self) { try served("--namespace null:1M,subsystem=2") }
    #expect(throws: (any Error).self) { try served("--port 4420 --port 4420") }
    #expect(throws: (any Error).self) { try served("-n nqn.x:a -n nqn.x:a") }
  }
}
