import NVMeHost
import NVMeProtocol
import TestSupport
import Testing

@Suite struct TargetIdentifierTests {
  static let nqn = "nqn.2016-06.io.example:disk1"

  @Test(arguments: [
    "nvme+tcp://192.0.2.1:4421/nqn.2016-06.io.example:disk1?nsid=1&hdgst=1&ddgst=1",
    "NVME+TCP://192.0.2.1:4421/nqn.2016-06.io.example%3Adisk1?ns=1&hdgst=on&ddgst=true",
    "trtype:TCP adrfam:IPv4 traddr:192.0.2.1 trsvcid:4421 subnqn:nqn.2016-06.io.example:disk1 ns:1 hdgst:1 ddgst:1",
    "  trtype=tcp  traddr=192.0.2.1 TRSVCID=4421\tsubnqn=nqn.2016-06.io.example:disk1 nsid=1 hdgst=yes ddgst=1 ",
    "traddr:192.0.2.1 trsvcid:4421 subnqn:nqn.2016-06.io.example:disk1 ns:1 hdgst:1 ddgst:1",
  ])
  func forms(text: String) throws {
    let target = try TargetIdentifier(parsing: text)
    #expect(target.host == "192.0.2.1" && target.port == 4421 && target.subsystemNQN == Self.nqn)
    #expect(target.namespaceIdentifier == 1 && target.headerDigest && target.dataDigest)
    #expect(target.addressFamily == .ipv4)
    #expect(target.uri == "nvme+tcp://192.0.2.1:4421/\(Self.nqn)?nsid=1&hdgst=1&ddgst=1")
    #expect(try TargetIdentifier(parsing: target.uri) == target)
    #expect(try TargetIdentifier(parsing: target.transportIdentifier) == target)
  }

  /// "://" in an NQN does not make a URI of it (found by the fuzzer).
  @Test func transportIdentifierWithSlashes() throws {
    let target = try TargetIdentifier(parsing: "trtype:TCP traddr:r subnqn:nqn.2016-06.io.example:a://b")
    #expect(target.host == "r" && target.subsystemNQN == "nqn.2016-06.io.example:a://b")
    #expect(try TargetIdentifier(parsing: target.transportIdentifier) == target)
    #expect(try TargetIdentifier(parsing: target.uri) == target)
  }

  /// inet_pton() reads up to a zero byte (found by the fuzzer).
  @Test(arguments: [
    "nvme+tcp://192.0.2.1%00x/", "traddr:192.0.2.1\0x", "traddr:fe80::1\0x", "nvme+tcp://[fe80::1\0x]/",
  ])
  func zeroByteInAddress(text: String) {
    #expect(throws: TargetIdentifierError.self) { _ = try TargetIdentifier(parsing: text) }
  }

  @Test func allOptions() throws {
    let host = "nqn.2014-08.org.nvmexpress:uuid:12345678-9abc-4def-8123-456789abcdef"
    let target = try TargetIdentifier(
      parsing: "nvme+tcp://h/\(Self.nqn)?queues=4&depth=64&hostnqn=\(host)&kato=0"
        + "&hostid=12345678-9abc-4def-8123-456789abcdef")
    #expect(target.queueCount == 4 && target.queueDepth == 64 && target.hostNQN == host)
    #expect(target.keepAliveTimeoutMilliseconds == 0)
    #expect(target.hostIdentifier == Identifier128("123456789abc4def8123456789abcdef"))
    #expect(try TargetIdentifier(parsing: target.uri) == target)
    #expect(try TargetIdentifier(parsing: target.transportIdentifier) == target)
  }

  @Test(
    arguments: [
      ("nvme+tcp://[2001:db8::1]:4420/\(nqn)", "2001:db8::1", 4420), ("nvme+tcp://[::1]/\(nqn)", "::1", 4420),
      ("nvme+tcp://[fe80::1%25eth0]/\(nqn)", "fe80::1%eth0", 4420),
      ("nvme+tcp://[fe80::1%eth0]/\(nqn)", "fe80::1%eth0", 4420),
      ("traddr:::1 adrfam:ipv6 subnqn:\(nqn)", "::1", 4420), ("traddr:[::1] subnqn:\(nqn)", "::1", 4420),
      ("nvme+tcp://storage-1.example/\(nqn)", "storage-1.example", 4420), ("nvme+tcp://storage_1", "storage_1", 8009),
      ("nvme+tcp://h:/", "h", 8009), ("nvme+tcp://h/nqn.2014-08.org.nvmexpress.discovery", "h", 8009),
      ("trtype:tcp traddr:10.0.0.1", "10.0.0.1", 8009),
    ] as [(String, String, UInt16)])
  func hostsAndPorts(text: String, host: String, port: UInt16) throws {
    let target = try TargetIdentifier(parsing: text)
    #expect(target.host == host && target.port == port)
    #expect(target.isDiscovery == (port == 8009))
    #expect(try TargetIdentifier(parsing: target.uri) == target)
    #expect(try TargetIdentifier(parsing: target.transportIdentifier) == target)
  }

  /// What is wrong, and what the message has to name.
  @Test(arguments: [
    ("", "neither"), ("storage1", "neither"), ("http://h/x", "scheme"), ("nvme+rdma://h/x", "not supported"),
    ("nvme+tcp://", "missing"), ("nvme+tcp:///nqn", "missing"), ("nvme+tcp://h:0/x", "port"),
    ("nvme+tcp://h:65536/x", "65536"), ("nvme+tcp://h:+1/x", "+1"), ("nvme+tcp://h:12a/x", "12a"),
    ("nvme+tcp://::1/x", "brackets"), ("nvme+tcp://[::1/x", "]"), ("nvme+tcp://[::1]x/x", "only a port"),
    ("nvme+tcp://[1.2.3.4]/x", "IPv6"), ("nvme+tcp://[::g]/x", "IPv6"), ("nvme+tcp://999.1.1.1/x", "999.1.1.1"),
    ("nvme+tcp://10.1/x", "10.1"), ("nvme+tcp://me@h/x", "user name"), ("nvme+tcp://h/x#y", "fragment"),
    ("nvme+tcp://h/%zz", "%"), ("nvme+tcp://h/%ff", "UTF-8"), ("nvme+tcp://h/a%20b", "blanks"),
    ("nvme+tcp://h/%00", "control"), ("nvme+tcp://h/x?nsid", "value"), ("nvme+tcp://h/x?nsid=0", "nsid"),
    ("nvme+tcp://h/x?nsid=4294967295", "nsid"), ("nvme+tcp://h/x?nsid=1&nsid=2", "twice"),
    ("nvme+tcp://h/x?ns=1&nsid=2", "twice"), ("nvme+tcp://h/x?color=red", "options are"),
    ("nvme+tcp://h/x?hdgst=maybe", "hdgst"), ("nvme+tcp://h/x?queues=0", "queues"),
    ("nvme+tcp://h/x?depth=-1", "depth"),
    ("nvme+tcp://h/x?hostnqn=", "host NQN"), ("nvme+tcp://h/x?hostid=12", "host identifier"),
    ("nvme+tcp://h/x?hostid=00000000-0000-0000-0000-000000000000", "zero"), ("nvme+tcp://-h/x", "-h"),
    ("trtype:RDMA traddr:1.2.3.4", "RDMA"), ("trtype:TCP", "traddr"), ("trtype:TCP traddr:", "missing"),
    ("traddr:1.2.3.4 traddr:1.2.3.5", "twice"), ("traddr:1.2.3.4 adrfam:IPv6", "inferred"),
    ("traddr:1.2.3.4 adrfam:IB", "IPv4 or IPv6"), ("traddr:1.2.3.4 trsvcid:x", "trsvcid"),
    ("traddr:1.2.3.4 foo:bar", "keys are"), ("traddr:1.2.3.4 foo", "value is missing"), ("traddr:1:2", "IPv6"),
    ("nvme+tcp://h/" + String(repeating: "x", count: 224), "223"),
  ])
  func refusals(text: String, names: String) {
    let error = #expect(throws: TargetIdentifierError.self) { _ = try TargetIdentifier(parsing: text) }
    #expect(error?.description.contains(names) == true, "\(String(describing: error))")
    #expect(error?.advice.isEmpty == false)
  }

  @Test func randomTexts() {
    var generator = SplitMix64(seed: 5)
    let pieces = [
      "nvme+tcp://", "[", "]", ":", "/", "?", "&", "=", "%", "%2", "h", "::1", "1", "nsid", "traddr", " ", "é", "\u{0}",
    ]
    for _ in 0..<4_000 {
      let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }
        .joined()
      guard let target = try? TargetIdentifier(parsing: text) else { continue }
      #expect((try? TargetIdentifier(parsing: target.uri)) == target, "\(text) → \(target.uri)")
    }
  }

  @Test func names() {
    for name in [
      "nqn.2014-08.org.nvmexpress:uuid:12345678-9abc-4def-8123-456789abcdef", NVMeQualifiedName.discovery,
      "nqn.2016-06.io.spdk:cnode1",
    ] { #expect(NVMeQualifiedName.isWellFormed(name), "\(name)") }
    for name in [
      "", "disk1", "nqn.2016-6.io.x:y", "nqn.2016-13.io.x:y", "nqn.2016-00.io.x:y", "nqn.2016-06.:y",
      "nqn.2016-06.io.x:",
      "nqn.2016-06.io.x", "nqn.2014-08.org.nvmexpress:uuid:123", "nqn.2016-06.io.x:a b", "nqn.20é-06.io.x:y", "nqn.:x",
    ] { #expect(!NVMeQualifiedName.isWellFormed(name), "\(name)") }
    #expect(NVMeQualifiedName.problem(with: "disk1") == nil)
    #expect(NVMeQualifiedName.problem(with: String(repeating: "é", count: 112)) != nil)
  }
}
