import Testing

@testable import BenchmarkCore

/// One job's options from a command line.
func job(_ arguments: String...) throws -> JobOptions {
  let plan = try plan(["--name=job"] + arguments)
  return try #require(plan.jobs.first)
}

func plan(
  _ arguments: [String], files: [String: String] = [:], environment: [String: String] = [:]
) throws(OptionError) -> JobPlan {
  let invocation = try CommandLineReader.read(arguments)
  let reader = JobFileReader(
    load: { path throws(JobFileReader.LoadFailure) in
      guard let text = files[path] else { throw JobFileReader.LoadFailure(why: "no such file") }
      return text
    }, environment: { environment[$0] })
  return try JobPlanner.plan(invocation, reader: reader)
}

func setup(
  _ options: JobOptions, capacity: UInt64, block: UInt32 = 512, clone: Int = 0, number: Int = 0,
  stop: StopSignal = StopSignal()
) throws -> JobSetup {
  try JobSetup(
    options: options, clone: clone, threadNumber: number, capacityBytes: capacity, blockByteCount: block, stop: stop)
}

/// Runs a job on a fake device.
func run(_ options: JobOptions, on device: FakeDevice, stop: StopSignal = StopSignal()) throws -> JobOutcome {
  let placed = try setup(options, capacity: UInt64(device.storage.count), stop: stop)
  var runner = JobRunner(
    setup: placed, channel: FakeChannel(device: device), clock: VirtualClock(time: device.time))
  return runner.run()
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
