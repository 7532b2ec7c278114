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

  @Test(arguments: [
    ["--output-format=xml"], ["--eta=maybe"], ["--output"], ["--name"], ["--rw"], ["--terse-version=5"],
  ])
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
}
