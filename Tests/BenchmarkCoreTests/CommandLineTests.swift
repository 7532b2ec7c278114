import Testing

@testable import BenchmarkCore

@Suite struct CommandLineTests {
  @Test func valuesAfterEqualsSignOrBlank() throws {
    let result = try plan(["--name", "a", "--rw", "randread", "--bs", "8k", "--iodepth=4", "-numjobs=2"])
    #expect(result.jobs[0].pattern == .randread)
    #expect(result.jobs[0].blockSizes.read == .fixed(8192))
    #expect(result.jobs[0].depth == 4)
    #expect(result.jobs[0].jobCount == 2)
  }

  @Test func flagsTakeNoNextArgument() throws {
    let result = try plan(["--name=a", "--group_reporting", "--norandommap", "--time_based=0"])
    #expect(result.jobs[0].groupReporting)
    #expect(result.jobs[0].noRandomMap)
    #expect(!result.jobs[0].isTimeBased)
  }

  @Test func severalJobsAndGlobal() throws {
    let result = try plan([
      "--name=global", "--rw=randread", "--size=128m", "--name=job1", "--name=job2", "--rw=write", "--stonewall",
    ])
    #expect(result.jobs.map(\.name) == ["job1", "job2"])
    #expect(result.jobs.map(\.pattern) == [.randread, .write])
    #expect(result.groupIdentifiers == [0, 1])
  }

  @Test func optionsAloneMakeOneJob() throws {
    let result = try plan(["--rw=randwrite", "--bs=4k"])
    #expect(result.jobs.map(\.name) == ["randwrite"])
  }

  @Test func nothingIsAnError() throws {
    let error = #expect(throws: OptionError.self) { try plan([]) }
    #expect(try #require(error).reason == .noJobs)
  }

  @Test func frameOptions() throws {
    let invocation = try CommandLineReader.read([
      "--output-format=normal,json+", "--output", "out", "--eta=never", "--status-interval=2", "--parse-only",
      "--showcmd", "--readonly", "--eta_newline=500ms",
    ])
    #expect(invocation.formats == [.normal, .jsonPlus])
    #expect(invocation.outputPath == "out")
    #expect(invocation.progress == .never)
    #expect(invocation.statusInterval == 2_000_000_000)
    #expect(invocation.progressNewLineInterval == 500_000_000)
    #expect(invocation.parseOnly && invocation.showCommand && invocation.isReadOnly)
  }

  @Test(arguments: [["--output-format=xml"], ["--eta=maybe"], ["--output"], ["--name"], ["--rw"], ["--minimal"]])
  func refused(_ arguments: [String]) {
    #expect(throws: OptionError.self) { try CommandLineReader.read(arguments) }
  }

  @Test func shownCommandsParseToTheSame() throws {
    let first = try plan(
      ["f"], files: ["f": "[global]\nrw=randrw\nsize=1g\n[a b]\nbs=4k,8k\ntime_based\nruntime=5\n[c]\nstonewall\n"])
    let lines = HelpText.commandLine(first).split(separator: "\n")
    #expect(lines.count == 2)
    #expect(lines[0] == "nvmeof-bench --name='a b' --rw=randrw --size=1g --bs=4k,8k --time_based --runtime=5")
    let second = try plan(lines[1].split(separator: " ").dropFirst().map(String.init))
    #expect(second.jobs[0].pattern == .randrw)
    #expect(second.jobs[0].stonewall)
  }

  @Test func addresses() throws {
    let uri = try TargetAddress.parse("nvme+tcp://192.0.2.7:4421/nqn.2024-01.example:disk%20a?nsid=3&hdgst=1")
    #expect(
      uri
        == TargetAddress(
          host: "192.0.2.7", port: 4421, subsystemNQN: "nqn.2024-01.example:disk a", namespaceIdentifier: 3,
          headerDigest: true))
    #expect(try TargetAddress.parse("nvme+tcp://[2001:db8::1]/nqn.x")?.host == "2001:db8::1")
    #expect(try TargetAddress.parse("nvme+tcp://[2001:db8::1]:1/nqn.x")?.port == 1)
    let spdk = try TargetAddress.parse("trtype:TCP adrfam:IPv4 traddr:192.0.2.7 trsvcid:4420 subnqn:nqn.2024:x ns:1")
    #expect(
      spdk == TargetAddress(host: "192.0.2.7", port: 4420, subsystemNQN: "nqn.2024:x", namespaceIdentifier: 1))
    #expect(try TargetAddress.parse("/some/file") == nil)
  }

  @Test(arguments: [
    "nvme+tcp://host", "nvme+tcp:///nqn.x", "nvme+tcp://host/", "nvme+tcp://host:0/nqn", "nvme+tcp://host:x/nqn",
    "nvme+tcp://a:b:1/nqn", "nvme+tcp://[::1/nqn", "nvme+tcp://h/nqn?nsid=0", "nvme+tcp://h/nqn?what=1",
    "nvme+tcp://h/nqn?nsid", "nvme+tcp://h/n%4", "trtype:RDMA traddr:a subnqn:b", "trtype:TCP subnqn:b",
    "trtype:TCP traddr:a", "trtype:TCP x", "http://host/x", "nvme+tcp://h/nqn?hdgst=x", "nvme+tcp://h/nqn?hostid=1",
  ])
  func badAddresses(_ text: String) {
    #expect(throws: TargetAddress.Failure.self) { try TargetAddress.parse(text) }
  }

  @Test func overlongNamesAreRefused() {
    let name = String(repeating: "n", count: 224)
    #expect(throws: TargetAddress.Failure.self) { try TargetAddress.parse("nvme+tcp://host/\(name)") }
  }
}
