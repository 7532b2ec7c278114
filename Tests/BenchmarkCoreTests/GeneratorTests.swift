import Glibc
import Testing

@testable import BenchmarkCore

@Suite struct GeneratorTests {
  private func operations(
    _ options: JobOptions, capacity: UInt64, limit: Int = 1_000_000, number: Int = 0
  ) throws -> [PlannedOperation] {
    let placed = try setup(options, capacity: capacity, number: number)
    var generator = WorkloadGenerator(
      options, region: placed.region, byteLimit: placed.byteLimit, seed: placed.seed)
    var result: [PlannedOperation] = []
    while result.count < limit, let operation = generator.next(generator.nextDirection()) { result.append(operation) }
    return result
  }

  @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 9, 100, 255, 256, 257, 1000, 4097] as [UInt64])
  func permutationsVisitEverythingOnce(_ count: UInt64) {
    for key in UInt64(0)..<5 {
      let permutation = BlockPermutation(count: count, key: key)
      #expect(Set((0..<count).map { permutation[$0] }) == Set(0..<count))
    }
  }

  @Test func permutationsOfHugeRegionsStayInside() {
    for count: UInt64 in [UInt64.max, 1 << 63, (1 << 40) + 1] {
      let permutation = BlockPermutation(count: count, key: 7)
      var seen: Set<UInt64> = []
      for index in UInt64(0)..<1000 {
        let value = permutation[index]
        #expect(value < count)
        seen.insert(value)
      }
      #expect(seen.count == 1000)
    }
  }

  @Test func permutationsLookRandom() {
    // Neighbours of a random order are as often rising as falling, and rarely adjacent.
    let permutation = BlockPermutation(count: 10_000, key: 42)
    var rising = 0
    var adjacent = 0
    for index in UInt64(1)..<10_000 {
      if permutation[index] > permutation[index - 1] { rising += 1 }
      if permutation[index] == permutation[index - 1] + 1 { adjacent += 1 }
    }
    #expect((4700...5300).contains(rising))
    #expect(adjacent < 20)
  }

  @Test func randomCoversAllBlocksOnce() throws {
    let result = try operations(try job("--rw=randread", "--bs=4k"), capacity: 1 << 20)
    #expect(result.count == 256)
    #expect(Set(result.map(\.offset)) == Set((0..<256).map { UInt64($0) * 4096 }))
  }

  @Test func loopsUseAnotherOrder() throws {
    let result = try operations(try job("--rw=randread", "--loops=2"), capacity: 1 << 20)
    #expect(result.count == 512)
    let first = result[..<256].map(\.offset)
    let second = result[256...].map(\.offset)
    #expect(Set(first) == Set(second))
    #expect(first != second)
  }

  @Test func mixedSizesCoverEveryByteOnce() throws {
    let options = try job("--rw=randwrite", "--bssplit=4k/50:16k/30:64k/20")
    let result = try operations(options, capacity: 1 << 20)
    var granules: Set<UInt64> = []
    for operation in result {
      #expect(operation.byteCount.isMultiple(of: 4096))
      for offset in stride(from: operation.offset, to: operation.offset + UInt64(operation.byteCount), by: 4096) {
        #expect(granules.insert(offset).inserted)
      }
    }
    #expect(granules.count == 256)
    #expect(Set(result.map(\.byteCount)).count > 2)
  }

  /// The means are those of fio 3.33 with the null engine, a region of 64 MiB and the same options.
  @Test(arguments: [("4k/60:64k/40", 15.75), ("4k/50:28k/50", 11.03), ("4k/50:64k/50", 20.09), ("4k/80:64k/20", 8.05)])
  func aMapLeavesMixedSizesTheMeanThatFioHas(split: String, kibibytes: Double) throws {
    let result = try operations(try job("--rw=randread", "--bssplit=\(split)"), capacity: 64 << 20)
    let sum = result.reduce(UInt64(0)) { $0 + UInt64($1.byteCount) }
    #expect(sum == 64 << 20)
    let mean = Double(sum) / 1024 / Double(result.count)
    #expect(abs(mean / kibibytes - 1) < 0.1, "\(mean) KiB")
  }

  /// A size that is no multiple of the map's blocks takes one more of them.
  @Test(arguments: [("4k/50:6k/50", [4096, 6144]), ("4k/30:10k/70", [4096, 8192, 10240])] as [(String, Set<UInt32>)])
  func aMapHasSizesBetweenItsBlocks(split: String, sizes: Set<UInt32>) throws {
    let result = try operations(try job("--rw=randwrite", "--bssplit=\(split)"), capacity: 4 << 20, limit: 300)
    #expect(Set(result.map(\.byteCount)) == sizes)
    var blocks: Set<UInt64> = []
    for operation in result {
      for block in operation.offset / 4096..<(operation.offset + UInt64(operation.byteCount) + 4095) / 4096 {
        #expect(block < 1024)
        #expect(blocks.insert(block).inserted)
      }
    }
  }

  @Test func aMapBeginsAnewWhenItIsFull() throws {
    let options = try job("--rw=randread", "--bssplit=4k/50:16k/50", "--loops=3")
    let result = try operations(options, capacity: 1 << 20)
    var visits = [Int](repeating: 0, count: 256)
    for operation in result {
      for block in 0..<Int(operation.byteCount / 4096) { visits[Int(operation.offset / 4096) + block] += 1 }
    }
    #expect(visits.allSatisfy { $0 == 3 })
  }

  @Test(arguments: [1, 63, 64, 65, 128, 4095, 4096, 4097, 300_000] as [UInt64])
  func aMapFindsTheNextFreeBlock(count: UInt64) {
    var random = RandomGenerator(seed: count)
    var map = BlockBitmap(count: count)
    var free = Set(0..<count)
    while map.freeCount > 0 {
      let start = random.below(count)
      let block = map.firstFree(from: start)
      guard free.contains(block) else {
        Issue.record("block \(block) of \(count) is not free, seen from \(start)")
        return
      }
      // Nothing free was passed over; of many blocks not each is looked at every time.
      let distance = (block + count - start) % count
      #expect((0..<min(distance, 100)).allSatisfy { !free.contains((start + $0) % count) })
      let length = map.freeRun(from: block, limit: 1 + random.below(max(1, count / 20)))
      map.insert(block, length: length)
      free.subtract(block..<block + length)
    }
    #expect(free.isEmpty)
    map.clear()
    #expect(map.freeCount == count && map.firstFree(from: count - 1) == count - 1)
  }

  @Test func theSameSeedGivesTheSame() throws {
    let options = try job("--rw=randrw", "--bssplit=4k/50:8k/50", "--randseed=9", "--norandommap")
    let first = try operations(options, capacity: 1 << 24, limit: 1000)
    #expect(try operations(options, capacity: 1 << 24, limit: 1000) == first)
    #expect(try operations(options, capacity: 1 << 24, limit: 1000, number: 1) != first)
    let other = try job("--rw=randrw", "--bssplit=4k/50:8k/50", "--randseed=10", "--norandommap")
    #expect(try operations(other, capacity: 1 << 24, limit: 1000) != first)
  }

  @Test func randrepeatOffDiffersByRun() throws {
    let options = try job("--rw=randread", "--randrepeat=0")
    let first = try setup(options, capacity: 1 << 20)
    let second = try setup(options, capacity: 1 << 20)
    #expect(first.seed != second.seed)
  }

  @Test func withoutMapBlocksRepeat() throws {
    let result = try operations(try job("--rw=randread", "--norandommap"), capacity: 1 << 20)
    #expect(result.count == 256)
    let distinct = Set(result.map(\.offset)).count
    // 256 draws from 256 places hit about 63 % of them.
    #expect((130...190).contains(distinct))
  }

  @Test func sequentialIsInOrderAndWraps() throws {
    let result = try operations(try job("--rw=read", "--bs=4k", "--size=16k", "--io_size=32k"), capacity: 1 << 20)
    #expect(try job("--rw=read", "--io_size=0").ioSize == nil)
    // fio gives io_size as an amount that may exceed the region.
    #expect(result.map(\.offset) == [0, 4096, 8192, 12288, 0, 4096, 8192, 12288])
  }

  @Test func sequentialWithHoles() throws {
    let result = try operations(try job("--rw=read:4k", "--bs=4k", "--number_ios=3"), capacity: 1 << 20)
    #expect(result.map(\.offset) == [0, 8192, 16384])
  }

  @Test func randomPlacesHeldForSeveral() throws {
    let result = try operations(try job("--rw=randread:4", "--bs=4k", "--number_ios=400"), capacity: 1 << 30)
    var steps = 0
    for index in 1..<400 where result[index].offset == result[index - 1].offset + 4096 { steps += 1 }
    #expect((295...305).contains(steps))
    let same = try operations(
      try job("--rw=randread:4", "--rw_sequencer=identical", "--number_ios=400"), capacity: 1 << 30)
    #expect(Set(same.map(\.offset)).count <= 100)
  }

  @Test(arguments: [
    ["--rw=trimwrite"], ["--rw=randtrimwrite"], ["--rw=trimwrite", "--bssplit=4k/50:8k/50"],
    ["--rw=randtrimwrite", "--bssplit=4k/50:8k/50"],
  ])
  func whatIsTrimmedIsWritten(arguments: [String]) throws {
    let result = try operations(try plan(["--name=a"] + arguments).jobs[0], capacity: 1 << 20)
    for index in stride(from: 0, to: result.count, by: 2) {
      var write = result[index]
      #expect(write.direction == .trim)
      write.direction = .write
      #expect(result[index + 1] == write)
    }
    // All of the region is trimmed, and all of it is written.
    #expect(result.reduce(UInt64(0)) { $0 + UInt64($1.byteCount) } == 2 << 20)
  }

  @Test func amounts() throws {
    // As fio counts: so many trims, and a write for each.
    let both = try operations(try job("--rw=trimwrite", "--number_ios=7"), capacity: 1 << 20)
    #expect(both.count == 14 && both.count { $0.direction == .write } == 7)
    #expect(try operations(try job("--rw=trimwrite", "--io_size=64k"), capacity: 1 << 20).count == 32)
    #expect(try operations(try job("--rw=read", "--number_ios=7"), capacity: 1 << 20).count == 7)
    #expect(
      try operations(try job("--rw=read", "--io_size=10k", "--bs=4k"), capacity: 1 << 20).map(\.byteCount) == [
        4096, 4096,
      ])
    #expect(try operations(try job("--rw=randread", "--size=50%"), capacity: 1 << 20).count == 128)
    let placed = try operations(try job("--rw=read", "--offset=512k", "--size=8k"), capacity: 1 << 20)
    #expect(placed.map(\.offset) == [524_288, 528_384])
    let percent = try operations(try job("--rw=read", "--offset=50%", "--size=8k"), capacity: 1 << 20)
    #expect(percent == placed)
  }

  @Test func clonesWithIncrement() throws {
    let options = try job("--rw=read", "--size=64k", "--offset_increment=64k", "--numjobs=4")
    for clone in 0..<4 {
      #expect(try setup(options, capacity: 1 << 20, clone: clone).region.start == UInt64(clone) * 65536)
    }
    #expect(throws: JobFailure.self) { try setup(options, capacity: 1 << 17, clone: 3) }
  }

  @Test(
    arguments: [
      (["--bs=1000"], 1 << 20), (["--offset=100"], 1 << 20), (["--size=2m"], 1 << 20), (["--offset=1m"], 1 << 20),
      (["--bs=64k", "--size=4k"], 1 << 20), (["--rw=read:100"], 1 << 20), (["--ba=100", "--rw=randread"], 1 << 20),
      (["--offset=1m", "--size=18446744073709551104"], 1 << 30),
      (["--rw=randread", "--bssplit=512/50:4k/50"], 1 << 50),
      (["--rw=write", "--verify=md5", "--bs=512"], 1 << 50),
      (["--iodepth=65535", "--bs=64m", "--numjobs=1024"], 1 << 40),
    ] as [([String], UInt64)])
  func whatDoesNotFitIsRefused(_ arguments: [String], _ capacity: UInt64) throws {
    let options = try plan(["--name=a"] + arguments).jobs[0]
    let failure = #expect(throws: JobFailure.self) { try setup(options, capacity: capacity) }
    #expect(failure?.kind == .setup)
  }

  @Test func mixes() throws {
    let result = try operations(
      try job("--rw=randrw", "--rwmixread=70", "--norandommap", "--number_ios=10000", "--io_size=1t"),
      capacity: 1 << 30)
    let reads = result.count { $0.direction == .read }
    #expect((6800...7200).contains(reads))
  }

  @Test func splits() throws {
    let result = try operations(
      try job("--rw=randread", "--bssplit=4k/60:8k/30:64k/10", "--norandommap", "--number_ios=10000", "--io_size=1t"),
      capacity: 1 << 30)
    #expect((5800...6200).contains(result.count { $0.byteCount == 4096 }))
    #expect((2800...3200).contains(result.count { $0.byteCount == 8192 }))
    #expect((850...1150).contains(result.count { $0.byteCount == 65536 }))
    for operation in result { #expect(operation.offset + UInt64(operation.byteCount) <= 1 << 30) }
  }

  @Test func ranges() throws {
    let result = try operations(
      try job("--rw=randread", "--bsrange=4k-16k", "--norandommap", "--number_ios=4000", "--io_size=1t"),
      capacity: 1 << 30)
    for size in [4096, 8192, 12288, 16384] as [UInt32] {
      #expect((850...1150).contains(result.count { $0.byteCount == size }), "\(size)")
    }
  }

  private func hits(_ distribution: String, blocks: UInt64 = 1000, draws: Int = 100_000) throws -> [Int] {
    let parsed = try RandomDistribution.parse(Substring(distribution))
    let sampler = try #require(SkewedSampler(parsed, count: blocks, seed: 5))
    var random = RandomGenerator(seed: 11)
    var hits = [Int](repeating: 0, count: Int(blocks))
    for _ in 0..<draws {
      let block = sampler.next(&random)
      try #require(block < blocks)
      hits[Int(block)] += 1
    }
    return hits
  }

  @Test(arguments: [0.5, 0.99, 1, 1.2, 2]) func zipfFollowsItsLaw(_ theta: Double) throws {
    let sorted = try hits("zipf:\(theta)").sorted(by: >)
    let weights = (1...1000).map { pow(Double($0), -theta) }
    let total = weights.reduce(0, +)
    // The most frequent ten ranks together, within three percent of a share plus noise.
    let expected = weights[..<10].reduce(0, +) / total
    let actual = Double(sorted[..<10].reduce(0, +)) / 100_000
    #expect(abs(actual - expected) < 0.03 * expected + 0.01)
  }

  @Test func paretoIsSelfSimilar() throws {
    // h = 0.2: four fifths of the accesses to one fifth of the blocks.
    let sorted = try hits("pareto:0.2").sorted(by: >)
    let share = Double(sorted[..<200].reduce(0, +)) / 100_000
    #expect(abs(share - 0.8) < 0.02)
  }

  @Test func normalIsCentred() throws {
    let counts = try hits("normal:10")
    let within = Double(counts[400..<600].reduce(0, +)) / 100_000
    #expect(abs(within - 0.6827) < 0.02)
    let shifted = try hits("normal:5:0.2")
    #expect(Double(shifted[150..<250].reduce(0, +)) / 100_000 > 0.65)
  }

  @Test func zones() throws {
    let counts = try hits("zoned:60/10:30/20:10/70")
    #expect(abs(Double(counts[..<100].reduce(0, +)) / 100_000 - 0.6) < 0.02)
    #expect(abs(Double(counts[100..<300].reduce(0, +)) / 100_000 - 0.3) < 0.02)
  }

  @Test func centredZipfIsHotThere() throws {
    let counts = try hits("zipf:1.2:0.5")
    #expect(counts.firstIndex(of: try #require(counts.max())) == 500)
  }

  @Test func skewedOffsetsStayInTheRegion() throws {
    let options = try job(
      "--rw=randread", "--random_distribution=zipf:1.1", "--bssplit=4k/50:64k/50", "--number_ios=5000", "--io_size=1t",
      "--offset=64k", "--size=1m")
    for operation in try operations(options, capacity: 1 << 24) {
      #expect(operation.offset >= 65536)
      #expect(operation.offset + UInt64(operation.byteCount) <= 65536 + (1 << 20))
    }
  }

  @Test func partlyRandom() throws {
    let result = try operations(
      try job("--rw=randread", "--percentage_random=25", "--number_ios=4000", "--io_size=1t"), capacity: 1 << 30)
    var sequential = 0
    for index in 1..<result.count where result[index].offset == result[index - 1].offset + 4096 { sequential += 1 }
    #expect((2850...3150).contains(sequential))
  }

  @Test func aRegionSmallerThanABlockIsToldByItsSize() throws {
    let options = try job("--bs=64m")
    let whole = #expect(throws: JobFailure.self) { try setup(options, capacity: 16 << 20) }
    #expect(whole?.message.contains("the region of 16777216 bytes does not hold one block of 67108864 bytes") == true)
    // 12 KiB hold a block of 12 KiB, but not in whole blocks of 8 KiB.
    let mixed = try job("--bsrange=8k-12k", "--rw=read")
    let rounded = #expect(throws: JobFailure.self) { try setup(mixed, capacity: 12 << 10) }
    #expect(
      rounded?.message.contains("8192 bytes, the region in whole blocks of 8192, do not hold one of 12288") == true)
  }
}
