import Testing

@testable import BenchmarkCore

@Suite struct VerifyTests {
  @Test(arguments: VerifyMethod.allCases) func intactDataVerifies(_ method: VerifyMethod) throws {
    let device = FakeDevice(byteCount: 1 << 18)
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--iodepth=8", "--verify=\(method.rawValue)", "--verify_pattern=0x5aa5"),
      on: device)
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
    #expect(outcome.statistics.verifiedBlocks == 64)
    #expect(outcome.statistics.directions.read.operations > 0)
    #expect(outcome.statistics.directions.write.operations == 64)
  }

  @Test(arguments: VerifyMethod.allCases.filter { $0 != .null && $0 != .meta })
  func aFlippedBitIsFound(_ method: VerifyMethod) throws {
    let device = FakeDevice(byteCount: 1 << 18)
    device.damage = { number, device in if number == 63 { device.storage[100_000] ^= 4 } }
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--verify=\(method.rawValue)", "--verify_pattern=0x5aa5"), on: device)
    #expect(outcome.failure?.kind == .verify)
    #expect(outcome.failure?.message.contains("offset 98304") == true, "\(String(describing: outcome.failure))")
    #expect(outcome.statistics.verifyFailures == 1)
    #expect(outcome.statistics.verifiedBlocks == 64)
  }

  @Test func aLostWriteIsFound() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    // The second pass over the region loses one write: its block keeps the first pass's data, intact.
    device.redirect = { number, offset in number == 100 ? nil : offset }
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--loops=2", "--verify=crc32c", "--iodepth=4"), on: device)
    #expect(outcome.statistics.verifyFailures == 1)
    #expect(outcome.failure?.message.contains("holds write 1 of this place, expected write 2") == true)
  }

  @Test func aWriteLostInALaterRunIsFound() throws {
    // The same options and seed: an earlier run left the same data in the same place, but not this run's.
    let device = FakeDevice(byteCount: 1 << 18)
    #expect(try run(try job("--rw=randwrite", "--bs=4k", "--verify=crc32c"), on: device).failure == nil)
    device.issued = []
    device.redirect = { number, offset in number == 40 ? nil : offset }
    let outcome = try run(try job("--rw=randwrite", "--bs=4k", "--verify=crc32c"), on: device)
    #expect(outcome.statistics.verifyFailures == 1)
    #expect(outcome.failure?.message.contains("in another run") == true, "\(String(describing: outcome.failure))")
  }

  @Test func aWriteLostAfterAFailedOneIsFound() throws {
    // One place, three writes: the first arrives, the second fails, the third is said to have arrived.
    let device = FakeDevice(byteCount: 1 << 12)
    device.fails = { number, _ in number == 1 }
    device.redirect = { number, offset in number == 2 ? nil : offset }
    let outcome = try run(
      try job("--rw=write", "--bs=4k", "--loops=3", "--verify=crc32c", "--continue_on_error=io"), on: device)
    #expect(outcome.statistics.directions.write.operations == 2)
    #expect(outcome.statistics.verifyFailures == 1)
    // And what a failed write left is not checked before another one has succeeded.
    let failed = FakeDevice(byteCount: 1 << 12)
    failed.fails = { number, _ in number == 1 }
    let second = try run(
      try job("--rw=write", "--bs=4k", "--loops=2", "--verify=crc32c", "--continue_on_error=io"), on: failed)
    #expect(second.statistics.verifiedBlocks == 0)
    #expect(second.failureCount == 1)
  }

  @Test func aMisdirectedWriteIsFoundTwice() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    device.redirect = { number, offset in number == 60 ? (offset + 4096) % (1 << 18) : offset }
    let outcome = try run(try job("--rw=write", "--bs=4k", "--verify=crc32c"), on: device)
    // In order: place 60 was never written, and place 61 is overwritten by its own later write.
    #expect(outcome.statistics.verifyFailures == 1)
    let random = FakeDevice(byteCount: 1 << 18)
    random.redirect = { number, offset in number == 63 ? (offset + 4096) % (1 << 18) : offset }
    let second = try run(try job("--rw=randwrite", "--bs=4k", "--verify=crc32c"), on: random)
    #expect(second.statistics.verifyFailures == 2)
  }

  @Test func fatalStopsAtTheFirst() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    device.damage = { number, device in
      if number == 63 { for block in 0..<64 { device.storage[block * 4096 + 500] ^= 1 } }
    }
    let all = try run(try job("--rw=write", "--verify=md5"), on: device)
    #expect(all.failureCount == 64)
    let again = FakeDevice(byteCount: 1 << 18)
    again.damage = device.damage
    #expect(try run(try job("--rw=write", "--verify=md5", "--verify_fatal=1"), on: again).failureCount == 1)
  }

  @Test func backlogChecksWhileWriting() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--verify=crc32c", "--verify_backlog=8", "--iodepth=4"), on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.verifiedBlocks == 64)
    let firstRead = try #require(device.issued.firstIndex { $0.operation == .read })
    #expect((8...12).contains(firstRead))
    let lastWrite = try #require(device.issued.lastIndex { $0.operation == .write })
    #expect(lastWrite > firstRead)
  }

  @Test func backlogFindsDamage() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    device.damage = { number, device in
      if number == 3 { device.storage[Int(device.issued[3].offset) + 1000] ^= 1 }
    }
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--verify=crc32c", "--verify_backlog=8", "--verify_fatal=1"), on: device)
    #expect(outcome.failure?.kind == .verify)
    #expect(device.issued.count < 30)
  }

  /// The device has no room for the first block of the backlog until the runtime is over.
  @Test func whatWasToBeReadBackAtTheEndIs() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.service = { [unowned device] number, _ in
      // A job that finds no room looks again after a millisecond.
      if number == 3 { device.busyLeft = 15 }
      return 10_000
    }
    let outcome = try run(
      try job("--rw=write", "--bs=4k", "--verify=crc32c", "--verify_backlog=4", "--runtime=10ms"), on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.directions.write.operations == 4)
    #expect(outcome.statistics.verifiedBlocks == 4)
  }

  @Test func overlappingWritesAreSettledBeforeTheNext() throws {
    // Without a map and at depth, places repeat; two writes in flight to one place would leave its content open.
    let device = FakeDevice(byteCount: 1 << 15)
    device.service = { number, _ in UInt64(5000 + (number * 7919) % 40_000) }
    let outcome = try run(
      try job("--rw=randwrite", "--bs=4k", "--norandommap", "--io_size=1m", "--iodepth=16", "--verify=crc32c"),
      on: device)
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
    #expect(outcome.statistics.directions.write.operations == 256)
    #expect(outcome.statistics.verifiedBlocks == 8)
  }

  @Test func mixedSizesVerifyUnitByUnit() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    let outcome = try run(
      try job(
        "--rw=randrw", "--bssplit=4k/50:16k/50", "--norandommap", "--io_size=2m", "--iodepth=8", "--verify=sha1"),
      on: device)
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
    #expect(outcome.statistics.verifiedBlocks > 50)
  }

  @Test func aSecondRunCanCheckTheFirst() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    _ = try run(
      try job("--rw=write", "--bs=16k", "--verify=xxhash", "--verify_interval=4k", "--do_verify=0"), on: device)
    #expect(device.issued.allSatisfy { $0.operation == .write })
    device.issued = []
    let read = try run(try job("--rw=randread", "--bs=4k", "--verify=xxhash"), on: device)
    #expect(read.failure == nil)
    #expect(read.statistics.verifiedBlocks == 64)
    let only = try run(
      try job("--rw=randwrite", "--bs=16k", "--verify=xxhash", "--verify_interval=4k", "--verify_only"), on: device)
    #expect(only.failure == nil)
    #expect(device.issued.allSatisfy { $0.operation == .read })
    device.storage[5000] ^= 1
    let broken = try run(try job("--rw=randread", "--bs=4k", "--verify=xxhash"), on: device)
    #expect(broken.failure?.kind == .verify)
    #expect(broken.failure?.message.contains("offset 4096") == true)
  }

  @Test func failedWritesAreNotVerified() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    device.fails = { number, _ in number == 5 }
    let outcome = try run(
      try job("--rw=write", "--verify=crc32c", "--continue_on_error=io", "--iodepth=4"), on: device)
    #expect(outcome.failureCount == 1)
    #expect(outcome.statistics.verifyFailures == 0)
    #expect(outcome.statistics.verifiedBlocks == 63)
  }

  @Test func timeBasedRunsAreVerifiedToo() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    device.busyTimes = 1
    let outcome = try run(
      try job("--rw=randwrite", "--time_based", "--runtime=5ms", "--verify=crc32c", "--iodepth=4"), on: device)
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
    #expect(outcome.statistics.verifiedBlocks == 16)
    #expect(outcome.statistics.directions.write.operations > 100)
  }

  @Test func thinkTimeAndRateDoNotDisturbIt() throws {
    let device = FakeDevice(byteCount: 1 << 16)
    let outcome = try run(
      try job("--rw=randwrite", "--rate_iops=10000", "--thinktime=10", "--verify=crc32c", "--verify_backlog=3"),
      on: device)
    #expect(outcome.failure == nil)
    #expect(outcome.statistics.verifiedBlocks == 16)
  }

  /// Units that do not lie at multiples of their size could not be told apart.
  @Test(arguments: [
    ["--rw=write:512", "--bs=4k"], ["--rw=randwrite", "--bs=4k", "--blockalign=512"], ["--rw=write:4k", "--bs=64k"],
    ["--rw=read:512", "--bs=4k"], ["--rw=randread", "--bs=4k", "--ba=512"],
  ])
  func placesBetweenUnitsAreRefused(arguments: [String]) throws {
    let error = #expect(throws: OptionError.self) { try plan(["--name=a", "--verify=crc32c"] + arguments) }
    #expect(error?.description.contains("multiple of verify_interval") == true, "\(String(describing: error))")
    _ = try plan(["--name=a", "--verify=crc32c", "--verify_interval=512"] + arguments)
  }

  @Test func gapsAndAlignmentsOfWholeUnitsVerify() throws {
    let device = FakeDevice(byteCount: 1 << 18)
    for arguments in [
      ["--rw=write:4k", "--bs=64k", "--verify_interval=4k"],
      ["--rw=randwrite", "--bs=8k", "--ba=12k", "--verify_interval=4k"],
    ] {
      let options = try plan(["--name=a", "--verify=crc32c"] + arguments).jobs[0]
      let outcome = try run(options, on: device)
      #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
      #expect(outcome.statistics.verifiedBlocks > 20)
    }
  }

  @Test func readsFromBetweenUnitsAreRefused() throws {
    let options = try job("--rw=read", "--bs=4k", "--offset=512", "--size=64k", "--verify=crc32c")
    let failure = #expect(throws: JobFailure.self) { try setup(options, capacity: 1 << 20) }
    #expect(failure?.message.contains("multiple of verify_interval") == true)
  }
}
