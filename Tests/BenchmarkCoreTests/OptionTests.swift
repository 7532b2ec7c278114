import BlockDevice
import Testing

@testable import BenchmarkCore

@Suite struct OptionTests {
  @Test func everyPattern() throws {
    for pattern in IOPattern.allCases { #expect(try job("--rw=\(pattern.rawValue)").pattern == pattern) }
    #expect(try job("--readwrite=readwrite").pattern == .rw)
    let random = try job("--rw=randread:8")
    #expect(random.accessesPerOffset == 8)
    let holes = try job("--rw=read:4k")
    #expect(holes.sequentialGap == 4096)
  }

  /// What is rounded up to it has to lie on the device, and where a block begins.
  @Test(arguments: ["1000000", "18446744073709551615", "2m"])
  func offsetsAreAlignedToBlocksOfTheDevice(text: String) throws {
    let options = try job("--rw=read", "--offset=33%", "--offset_align=\(text)")
    let failure = #expect(throws: JobFailure.self) { try setup(options, capacity: 1 << 20) }
    #expect(failure?.message.contains("offset_align") == true)
    let good = try job("--rw=read", "--bs=512", "--offset=33%", "--offset_align=1536")
    #expect(try setup(good, capacity: 1 << 20).region.start == 226 * 1536)
  }

  @Test func paths() throws {
    let none = try job("--rw=read").paths
    #expect(!none.isWanted)
    let two = try job("--paths=192.0.2.8, [2001:db8::8]:4421,storage:1", "--path_policy=round_robin:8").paths
    #expect(
      two.addresses == [
        PathAddress(host: "192.0.2.8", port: 4420), PathAddress(host: "2001:db8::8", port: 4421),
        PathAddress(host: "storage", port: 1),
      ])
    #expect(two.addresses.map(\.description) == ["192.0.2.8:4420", "[2001:db8::8]:4421", "storage:1"])
    #expect(two.policy == .roundRobin(minimumIO: 8))
    #expect(try two.timers() == .standard)
    for (text, policy) in [
      ("active_passive", PathPolicy.activePassive), ("round_robin", .roundRobin(minimumIO: 1)),
      ("Queue_Depth", .queueDepth), ("latency", .latency),
    ] {
      #expect(try job("--paths=h", "--path_policy=\(text)").paths.policy == policy)
    }
    #expect(try job("--paths=h", "--unknown_writes=resend_risking_corruption").paths.resendsAtOnce)
  }

  @Test func recoveryTimers() throws {
    func timers(_ arguments: String...) throws -> [Int64] {
      let paths = try #require(try plan(["--name=a"] + arguments).jobs.first?.paths)
      #expect(paths.isWanted)
      let timers = try paths.timers()
      return [
        timers.reconnectDelayMilliseconds, timers.controllerLossTimeoutMilliseconds,
        timers.fastIOFailTimeoutMilliseconds,
      ]
    }
    #expect(try timers("--reconnect_delay=100ms") == [100, 600_000, 0])
    #expect(try timers("--controller_loss_timeout=-1", "--fast_io_fail_timeout=5") == [2000, -1, 5000])
    #expect(try timers("--controller_loss_timeout=500ms") == [500, 500, 0])
    #expect(try timers("--fast_io_fail_timeout=300ms") == [300, 600_000, 300])
    #expect(try timers("--controller_loss_timeout=0") == [0, 0, 0])
  }

  @Test(arguments: [
    (["--paths=a/b"], "separated by commas"), (["--paths=a,,b"], "separated by commas"),
    (["--paths=h:0"], "separated by commas"), (["--paths=h,h:4420"], "each address once, not h:4420 twice"),
    (["--paths=" + (0..<32).map { "h\($0)" }.joined(separator: ",")], "up to 31 addresses"),
    (["--path_policy=latency"], "path_policy chooses between paths: give paths"),
    (["--paths=h", "--path_policy=random"], "active_passive|round_robin"),
    (["--paths=h", "--path_policy=round_robin:0"], "from 1"), (["--reconnect_delay=1us"], "whole milliseconds"),
    (
      ["--reconnect_delay=9", "--controller_loss_timeout=5"],
      "reconnect_delay cannot be 9000 ms: it must not be more than controller_loss_timeout (5000 ms)"
    ),
    (["--reconnect_delay=2", "--fast_io_fail_timeout=1"], "fast_io_fail_timeout cannot be 1000 ms"),
    (["--reconnect_delay=1", "--controller_loss_timeout=0"], "reconnect_delay cannot be 1000 ms: it must be 0"),
    (["--controller_loss_timeout=-2"], "a time such as"), (["--unknown_writes=hope"], "wait or resend"),
  ])
  func wrongPaths(arguments: [String], problem: String) {
    do throws(OptionError) {
      _ = try plan(["--name=a"] + arguments)
      Issue.record("\(arguments) were accepted")
    } catch {
      #expect(error.description.contains(problem), "\(error)")
    }
  }

  @Test func blockSizes() throws {
    let options = try job("--bs=4k,64k,1m")
    #expect(options.blockSizes.read == .fixed(4096))
    #expect(options.blockSizes.write == .fixed(65536))
    #expect(options.blockSizes.trim == .fixed(1 << 20))
    #expect(try job("--bsrange=64k-4k").blockSizes.read == .range(4096...65536))
    let split = try job("--bssplit=4k/50:1k/:32k/")
    #expect(
      split.blockSizes.write
        == .split([
          .init(bytes: 4096, percent: 50), .init(bytes: 1024, percent: 25), .init(bytes: 32768, percent: 25),
        ]))
    let mixed = try job("--rw=randrw", "--bssplit=2k/50:4k/50,4k/90:8k/10")
    #expect(mixed.smallestBlock == 2048)
    #expect(mixed.largestBlock == 8192)
  }

  @Test(arguments: [
    "--bs=0", "--bs=4x", "--bs=1g", "--bssplit=4k/60:8k/60", "--bssplit=", "--bssplit=4k/10", "--iodepth=0",
    "--iodepth=100000", "--rwmixread=101", "--rw=randrw:x", "--random_distribution=zipf:x",
    "--random_distribution=pareto:2", "--random_distribution=zoned:50/50", "--random_distribution=flat",
    "--percentile_list=0", "--percentile_list=", "--verify=crc99", "--numjobs=0", "--cpus_allowed=x",
    "--cpus_allowed=4-2", "--runtime=soon", "--time_based=maybe", "--rate_process=never", "--bsrange=4k",
    "--continue_on_error=some", "--sync=perhaps", "--kb_base=7", "--rw=randread:0", "--connections=0",
    "--connections=2000", "--wait_mode=sleepy",
  ])
  func refusedValues(_ argument: String) throws {
    let error = #expect(throws: OptionError.self) { try job(argument) }
    switch try #require(error).reason {
    case .invalidValue, .missingValue: break
    default: Issue.record("\(argument): \(String(describing: error))")
    }
  }

  @Test(
    arguments: [
      ("randomread", nil), ("iodepht", "iodepth"), ("runtim", "runtime"), ("blocksise", "blocksize"),
      ("statusinterval", "status-interval"), ("ioegine", "ioengine"), ("filenam", "filename"),
    ] as [(String, String?)])
  func suggestions(_ name: String, _ suggestion: String?) throws {
    let error = #expect(throws: OptionError.self) { try plan(["--\(name)=1"]) }
    #expect(try #require(error).reason == .unknownOption(name: name, suggestion: suggestion))
  }

  @Test func optionsOfFioThatWouldChangeTheMeasurementAreRefused() throws {
    let error = #expect(throws: OptionError.self) { try job("--read_iolog=log") }
    guard case .unsupportedOption(name: "read_iolog", _) = try #require(error).reason else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func optionsWithoutEffectAreNoted() throws {
    let result = try plan(["--name=a", "--direct=1", "--invalidate", "--random_generator=lfsr"])
    #expect(result.notes.count == 3)
    #expect(result.notes[0].contains("direct"))
  }

  @Test func clonesThatVerifyTheSameRegionAreNoted() throws {
    let result = try plan(["--name=a", "--rw=randwrite", "--verify=crc32c", "--numjobs=2"])
    #expect(result.notes.count == 1)
    let apart = try plan(["--name=a", "--rw=randwrite", "--verify=crc32c", "--numjobs=2", "--offset_increment=1g"])
    #expect(apart.notes.isEmpty)
  }

  @Test func enginesOfFioMeanPoll() throws {
    #expect(try job("--ioengine=libaio").engine == .poll)
    #expect(try job("--ioengine=io_uring").engine == .poll)
    #expect(try job("--ioengine=async").engine == .async)
    #expect(throws: OptionError.self) { try job("--ioengine=rados") }
  }

  @Test func waitModes() throws {
    #expect(try job().waitStyle == .adaptive)
    for style in WaitStyle.allCases { #expect(try job("--wait_mode=\(style.rawValue)").waitStyle == style) }
    #expect(try job("--hipri").waitStyle == .busy)
    #expect(try job("--hipri=0").waitStyle == .adaptive)
    #expect(try job("--wait_mode=event", "--hipri=0").waitStyle == .event)
    #expect(try job("--hipri", "--wait_mode=event").waitStyle == .event)
  }

  @Test func depthIsPerConnection() throws {
    let options = try job("--iodepth=32", "--connections=4")
    #expect(options.depth == 32)
    #expect(options.totalDepth == 128)
    #expect(try job("--iodepth=32").totalDepth == 32)
  }

  @Test func ratesAndThinkTime() throws {
    let options = try job("--rate_iops=100,,50", "--thinktime=50", "--thinktime_blocks=4", "--thinktime_spin=10us")
    #expect(options.rateIOPS.read == 100)
    #expect(options.rateIOPS.write == nil)
    #expect(options.rateIOPS.trim == 50)
    #expect(options.thinkTime == 50_000)
    #expect(options.thinkTimeBlocks == 4)
    #expect(options.thinkTimeSpin == 10_000)
    #expect(try job("--rate=1m").rateBytes.write == 1 << 20)
  }

  @Test func percentiles() throws {
    #expect(try job("--percentile_list=99.9:50").percentiles == [50, 99.9])
    #expect(try job().reportsCompletionPercentiles)
    let total = try job("--lat_percentiles=1")
    #expect(total.reportsTotalPercentiles)
    #expect(!total.reportsCompletionPercentiles)
  }

  @Test func laterMixOverridesEarlier() throws {
    #expect(try job("--rwmixread=70").readMixPercent == 70)
    #expect(try job("--rwmixread=70", "--rwmixwrite=60").readMixPercent == 40)
  }

  @Test(arguments: [
    ["--time_based"], ["--rate=1m", "--rate_iops=5"], ["--verify=pattern", "--rw=write"],
    ["--verify=crc32c", "--rw=trim"], ["--verify_only"], ["--wait_for=nobody"],
    ["--thinktime=1", "--thinktime_spin=2"],
    ["--verify=md5", "--rw=write", "--bssplit=4k/50:6k/50"], ["--verify=md5", "--rw=write", "--verify_interval=64"],
    ["--loops=0"], ["--connections=64", "--iodepth=1024"], ["--rw=trimwrite", "--bs=4k,8k,4k"],
    ["--latency_target=1ms"],
  ])
  func conflicts(_ arguments: [String]) throws {
    let error = #expect(throws: OptionError.self) { try plan(["--name=job"] + arguments) }
    guard case .conflict = try #require(error).reason else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func blocksThatAreCutAreTold() throws {
    func notes(_ arguments: String...) throws -> [String] { try plan(["--name=a"] + arguments).notes }
    #expect(try notes("--rw=randread", "--bssplit=4k/50:8k/50").count { $0.contains("norandommap") } == 1)
    #expect(try notes("--rw=randrw", "--bs=4k,8k").count == 1)
    #expect(try notes("--rw=randread", "--bssplit=4k/50:8k/50", "--norandommap").isEmpty)
    #expect(try notes("--rw=read", "--bsrange=4k-8k").isEmpty)
    #expect(try notes("--rw=randread", "--bs=4k,8k").isEmpty)
  }

  @Test func readOnlyRefusesWrites() throws {
    #expect(throws: OptionError.self) { try plan(["--readonly", "--name=a", "--rw=randwrite"]) }
    #expect(throws: OptionError.self) { try plan(["--readonly", "--name=a", "--rw=randrw"]) }
    #expect(throws: OptionError.self) { try plan(["--readonly", "--name=a", "--rw=trim"]) }
    #expect(throws: OptionError.self) { try plan(["--readonly", "--name=a", "--rw=trimwrite"]) }
    #expect(try plan(["--readonly", "--name=a", "--rw=randread"]).jobs.count == 1)
  }

  @Test func helpNamesEveryOption() throws {
    let all = try #require(HelpText.command("all"))
    for definition in OptionCatalogue.definitions {
      #expect(all.contains("  \(definition.name)"), "\(definition.name)")
    }
    #expect(HelpText.usage.contains("--output-format"))
    #expect(HelpText.command("nonsense") == nil)
  }
}
