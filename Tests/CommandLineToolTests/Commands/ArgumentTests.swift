import ArgumentParser
import BlockDevice
import EmbeddedTarget
import Foundation
import Testing

@testable import CommandLineTool

@Suite struct ArgumentTests {
  private static func address(_ arguments: [String], _ need: AddressOptions.Need = .subsystem) throws
    -> TargetIdentifier
  {
    try AddressOptions.parse(arguments).resolve(need)
  }

  private static func problem(_ arguments: [String], _ need: AddressOptions.Need = .subsystem) -> String {
    do {
      return "no error: \(try address(arguments, need))"
    } catch let error as ToolError {
      #expect(error.status == .usage)
      return error.description
    } catch {
      return "parser: " + AddressOptions.message(for: error)
    }
  }

  @Test func threeWaysToNameATarget() throws {
    let uri = try Self.address(["nvme+tcp://192.0.2.1:4421/nqn.x:y?nsid=2"])
    #expect(uri.namespaceIdentifier == 2)
    let spdk = try Self.address(["trtype:TCP traddr:192.0.2.1 trsvcid:4421 subnqn:nqn.x:y ns:2"])
    #expect(uri == spdk)
    let options = try Self.address(["-t", "tcp", "-a", "192.0.2.1", "-s", "4421", "-n", "nqn.x:y"])
    #expect(options.hostAndPort == uri.hostAndPort)
    #expect(options.subsystemNQN == uri.subsystemNQN)
    #expect(try Self.address(["-a", "192.0.2.1", "-n", "nqn.x:y"]).port == 4420)
    #expect(try Self.address(["-a", "::1"], .subsystemOrDiscovery).port == 8009)
    #expect(try Self.address(["-a", "::1"], .subsystemOrDiscovery).isDiscovery)
    #expect(try Self.address(["nvme+tcp://192.0.2.1", "-n", "nqn.x:y"]).subsystemNQN == "nqn.x:y")
  }

  @Test func wrongTargetsSayWhatToDo() {
    #expect(Self.problem([]).hasPrefix("the target is missing: give nvme+tcp://HOST:PORT/NQN"))
    #expect(
      Self.problem(["-a", "192.0.2.1", "-s", "4420"])
        == "the subsystem's NQN is missing: give -n NQN, or nvme+tcp://192.0.2.1/NQN; "
        + "\"nvmeof list -a 192.0.2.1 -s 4420\" shows what there is")
    #expect(Self.problem(["nonsense"]).contains("neither a URI nor a transport identifier"))
    #expect(Self.problem(["nvme+tcp://[::1/nqn"]).contains("nvme+tcp://[::1/nqn"))
    #expect(Self.problem(["nvme+rdma://192.0.2.1/nqn.x:y"]).contains("rdma"))
    #expect(
      Self.problem(["-t", "rdma", "-a", "192.0.2.1", "-n", "x"]) == "transport \"rdma\" is not supported; tcp is")
    #expect(Self.problem(["-a", "192.0.2.1", "-s", "70000", "-n", "x"]).contains("is not a port number"))
    #expect(Self.problem(["-a", "300.1.1.1", "-n", "x"]).contains("neither a host name nor an IP address"))
    #expect(Self.problem(["-a", "a b", "-n", "x"]) == "-a \"a b\" contains blanks")
    #expect(Self.problem(["-a", "h", "-n", "with blank"]).contains("is not valid"))
    #expect(Self.problem(["nvme+tcp://h/nqn", "-a", "h"]) == "give a target or -t, -a and -s, not both")
    #expect(Self.problem(["nvme+tcp://h/nqn", "-n", "other"]).hasPrefix("the NQN is given twice"))
    #expect(Self.problem(["nvme+tcp://h/nqn", "-n", "1"]).hasSuffix("; the namespace is --namespace-id 1"))
  }

  @Test func namespacesAreAlsoHexadecimal() throws {
    #expect(try NamespaceOptions.parse(["--namespace-id", "0x1F"]).identifier == 31)
    #expect(try NamespaceOptions.parse(["--nsid", "31"]).identifier == 31)
    for text in ["0", "0x0", "0xffffffff", "0x", "1f", "-1", "4294967296"] {
      #expect(throws: (any Error).self) { _ = try NamespaceOptions.parse(["--nsid", text]) }
    }
  }

  @Test func commandsOfNvmeCLI() {
    for (command, page) in CommandName.logPages {
      #expect(CommandName.translated([command, "-o", "json"]) == ["get-log", "--log-id", page, "-o", "json"])
      #expect(CommandName.translated(["help", command]) == ["help", "get-log"])
      #expect(LogPageArgument(argument: page) != nil)
    }
    for arguments in [[], ["-h"], ["list", "smart-log"], ["help"], ["help", "list"]] {
      #expect(CommandName.translated(arguments) == arguments)
      #expect(CommandName.problem(arguments) == nil)
    }
    #expect(CommandName.problem(["lsit"])?.contains("\"lsit\"; there are discover, list, id-ctrl,") == true)
    #expect(CommandName.problem(["help", "lsit"]) != nil)
    #expect(CommandName.problem(["connect", "-a", "h"])?.contains("nvmeofd") == true)
  }

  @Test func errorLogEntries() throws {
    #expect(try GetLogCommand.parse(["--log-id", "error", "-e", "10"]).entryCount == 10)
    for arguments in [
      ["smart", "-e", "1"], ["error", "-e", "0"], ["error", "-e", "257"], ["error", "-e", "1", "-l", "64"],
    ] {
      #expect(throws: (any Error).self) { _ = try GetLogCommand.parse(["--log-id"] + arguments) }
    }
  }

  @Test func hostOptionsReachTheConfiguration() throws {
    let host = try HostOptions.parse([
      "-q", "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-3333-4444-555555555555", "-i", "4", "-Q", "64", "-k", "30",
      "-g", "-G", "--io-tmo", "5",
    ])
    let target = TargetIdentifier(host: "192.0.2.1", subsystemNQN: "nqn.x:y")
    let configuration = try host.configuration(for: target)
    #expect(configuration.queueCount == 4)
    #expect(configuration.queueDepth == 64)
    #expect(configuration.keepAliveTimeoutMilliseconds == 30_000)
    #expect(configuration.ioTimeoutMilliseconds == 5000)
    #expect(configuration.hostIdentifier.uuidString == "11111111-2222-3333-4444-555555555555")
    let transport = try host.transport(for: target)
    #expect(transport.options.headerDigest && transport.options.dataDigest)
    // What the URI says itself goes first.
    let other = try TargetIdentifier(parsing: "nvme+tcp://192.0.2.1/nqn.x:y?queues=2&depth=16&kato=0")
    let second = try host.configuration(for: other)
    #expect(second.queueCount == 2)
    #expect(second.queueDepth == 16)
    #expect(second.keepAliveTimeoutMilliseconds == 0)
  }

  @Test(arguments: [
    ["-i", "0"], ["-Q", "4096"], ["-I", "no-uuid"], ["-I", "00000000-0000-0000-0000-000000000000"], ["-q", "a b"],
    ["-k", "-1"], ["--connect-tmo", "0"], ["-k", "4294967295"],
  ])
  func wrongHostOptions(_ arguments: [String]) {
    #expect(throws: (any Error).self) { _ = try HostOptions.parse(arguments) }
  }

  @Test func blockRanges() throws {
    let geometry = BlockGeometry(blockByteCount: 512, blockCount: 100)
    func parse(_ arguments: [String]) throws -> BlockRangeOptions { try BlockRangeOptions.parse(arguments) }
    #expect(try parse([]).blockCount(geometry) == nil)
    #expect(try parse(["-c", "0"]).blockCount(geometry) == 1)
    #expect(try parse(["--block-count", "7"]).blockCount(geometry) == 8)
    #expect(try parse(["--blocks", "7"]).blockCount(geometry) == 7)
    #expect(try parse(["-z", "4K"]).blockCount(geometry) == 8)
    #expect(throws: ToolError.self) { _ = try parse(["-z", "100"]).blockCount(geometry) }
    #expect(throws: (any Error).self) { _ = try parse(["--blocks", "0"]) }
    #expect(throws: (any Error).self) { _ = try parse(["--blocks", "1", "-c", "0"]) }
    #expect(throws: Never.self) { try parse(["--start-block", "99"]).check(1, geometry, name: "d") }
    for (start, count) in [("99", 2), ("100", 1), ("18446744073709551615", 1), ("0", .max)] as [(String, UInt64)] {
      do throws(ToolError) {
        guard let options = try? parse(["--start-block", start]) else {
          Issue.record("--start-block \(start) was refused")
          continue
        }
        try options.check(count, geometry, name: "d")
        Issue.record("blocks from \(start) were let pass")
      } catch {
        #expect(error.status == .usage)
        #expect(error.description.contains("100 blocks of 512 bytes, the last is 99"))
      }
    }
  }

  /// As nvme-cli has it: Dataset Management and Flush have no such bit.
  @Test func forceUnitAccessIsForCommandsThatHaveTheBit() throws {
    let uri = "nvme+tcp://192.0.2.1/nqn.x:y"
    for flag in ["-f", "--force-unit-access"] {
      #expect(try ReadCommand.parse([uri, flag]).access.blockOptions == .forceUnitAccess)
      #expect(try WriteCommand.parse([uri, flag]).access.blockOptions == .forceUnitAccess)
      #expect(try CompareCommand.parse([uri, flag]).access.blockOptions == .forceUnitAccess)
      #expect(try VerifyCommand.parse([uri, flag]).access.blockOptions == .forceUnitAccess)
      #expect(try WriteZeroesCommand.parse([uri, flag]).access.blockOptions == .forceUnitAccess)
      #expect(throws: (any Error).self) { _ = try DatasetManagementCommand.parse([uri, "--ad", flag]) }
      #expect(throws: (any Error).self) { _ = try FlushCommand.parse([uri, flag]) }
    }
    #expect(try ReadCommand.parse([uri]).access.blockOptions == [])
    #expect(!DatasetManagementCommand.helpMessage().contains("--force-unit-access"))
  }

  @Test func helpHasWhatACommandIsAboutInOnePlace() {
    for help in [ReadCommand.helpMessage(), VerifyCommand.helpMessage(), DatasetManagementCommand.helpMessage()] {
      let places = ["\nBLOCKS:\n", "\nTARGET:\n", "\nHOST:\n"].map { help.components(separatedBy: $0).count }
      #expect(places == [2, 2, 2], "\(help)")
    }
  }

  @Test func theNamespaceGivenGoesBeforeTheTargets() throws {
    #expect(try DeviceOptions.parse(["nvme+tcp://h/nqn.x:y?nsid=2"]).resolve().namespaceIdentifier == 2)
    #expect(
      try DeviceOptions.parse(["nvme+tcp://h/nqn.x:y?nsid=2", "--nsid", "3"]).resolve().namespaceIdentifier == 3)
    #expect(try DeviceOptions.parse(["nvme+tcp://h/nqn.x:y"]).resolve().namespaceIdentifier == nil)
    #expect(throws: ToolError.self) { _ = try DeviceOptions.parse(["-a", "h"]).resolve() }
  }

  @Test func logPages() {
    #expect(LogPageArgument(argument: "smart")?.page == .smartHealth)
    #expect(LogPageArgument(argument: "0x0c")?.page == .asymmetricNamespaceAccess)
    #expect(LogPageArgument(argument: "2")?.page == .smartHealth)
    #expect(LogPageArgument(argument: "256") == nil)
    #expect(LogPageArgument(argument: "nothing") == nil)
  }

  @Test func namespaceSpecifications() throws {
    typealias Specification = NamespaceSpecification
    let memory = try Specification(parsing: "memory:64M:4096,group=2,ro")
    #expect(memory.kind == .memory(byteCount: 64 << 20))
    #expect(memory.blockByteCount == 4096)
    #expect(memory.accessGroup == 2)
    #expect(memory.isReadOnly)
    #expect(try Specification(parsing: "null:1G").kind == .null(byteCount: 1 << 30))
    #expect(try Specification(parsing: "file:/a/b.img").kind == .file(path: "/a/b.img", byteCount: nil))
    #expect(try Specification(parsing: "file:/a/b.img:4096").blockByteCount == 4096)
    #expect(try Specification(parsing: "file:a:b:1G:512").kind == .file(path: "a:b", byteCount: 1 << 30))
    #expect(try Specification(parsing: "file:a,b,ro").kind == .file(path: "a,b", byteCount: nil))
    let placed = try Specification(parsing: "null:1M,nsid=7,subsystem=2")
    #expect(placed.identifier == 7)
    #expect(placed.subsystem == 2)
    for text in [
      "null:1M,nsid=0", "null:1M,nsid=", "null:1M,subsystem=0", "null:1M,subsystem=x", "", "memory", "memory:",
      "memory:0", "memory:1M:500", "memory:1M:512:1", "disk:1M", "file:", "null:1M,x",
      "null:1M,group=33",
    ] {
      #expect(throws: ToolError.self, "\(text)") { _ = try Specification(parsing: text) }
    }
    #expect(AccessStateSpecification(argument: "2=inaccessible")?.state == .inaccessible)
    #expect(AccessStateSpecification(argument: "2=inaccessible")?.port == nil)
    #expect(AccessStateSpecification(argument: "4421:2=change")?.port == 4421)
    for text in ["", "=", ":=", "0:1=change", "x:1=change", "1:1:1=change"] {
      #expect(AccessStateSpecification(argument: text) == nil, "\(text)")
    }
    #expect(AccessStateSpecification(argument: "0=optimized") == nil)
    #expect(AccessStateSpecification(argument: "1=gone") == nil)
  }

  @Test func copyPlaces() throws {
    #expect(try CopyPlace("-") == .standardStream)
    #expect(try CopyPlace("disk.img") == .file(path: "disk.img"))
    guard case .device = try CopyPlace("nvme+tcp://h/nqn.x:y?nsid=1") else {
      Issue.record("no device")
      return
    }
    for text in [
      "trtype=TCP traddr=192.0.2.1 subnqn=nqn.x:y ns=1", "ns:1 SUBNQN:nqn.x:y\tTRADDR:192.0.2.1",
      "trtype:TCP traddr:192.0.2.1 subnqn:nqn.x:y ns:1",
    ] {
      guard case .device(let target) = try CopyPlace(text) else {
        Issue.record("\(text) is a file")
        continue
      }
      #expect(target.host == "192.0.2.1" && target.subsystemNQN == "nqn.x:y" && target.namespaceIdentifier == 1)
    }
    for text in ["trtype=TCP", "subnqn=nqn.x:y", "traddr=192.0.2.1 ns=x"] {
      #expect(throws: ToolError.self, "\(text)") { _ = try CopyPlace(text) }
    }
    for text in ["traddr", "./traddr=192.0.2.1", "my traddr.img", "xtraddr:1"] {
      #expect(try CopyPlace(text) == .file(path: text))
    }
    #expect(throws: ToolError.self) { _ = try CopyPlace("nvme+tcp://h") }
    #expect(throws: ToolError.self) { _ = try CopyPlace("nvme+tcp://h/nqn?nsid=x") }
    #expect(throws: ToolError.self) { _ = try CopyPlace("") }
  }
}
