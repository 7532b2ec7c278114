import NVMeProtocol
import RingReactor
import Testing

@testable import BlockDevice

struct MeteredBlockDeviceTests {
  private let kernel = ClockKernel()
  private let reactor: Reactor
  private let inner: ManualDevice
  private let device: MeteredBlockDevice
  private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)

  init() throws {
    reactor = try Reactor(kernel: kernel)
    inner = ManualDevice(reactor: reactor.handle)
    device = MeteredBlockDevice(inner)
  }

  private func request(_ operation: BlockOperation, blocks: UInt32 = 1, token: UInt64 = 0) -> BlockRequest {
    BlockRequest(
      operation, logicalBlockAddress: 7, blockCount: blocks,
      buffer: operation.hasData
        ? UnsafeMutableRawBufferPointer(rebasing: memory[..<(Int(blocks) * 4096)])
        : UnsafeMutableRawBufferPointer(start: nil, count: 0), token: token)
  }

  private func advance(_ nanoseconds: UInt64) {
    kernel.nowNanoseconds += nanoseconds
    reactor.turn(.none)
  }

  private func poll(_ channel: BlockChannel) -> [BlockCompletion] {
    withUnsafeTemporaryAllocation(of: BlockCompletion.self, capacity: 256) { completions in
      (0..<channel.poll(into: completions)).map { completions[$0] }
    }
  }

  @Test func itHasTheShapeOfWhatItMeasures() {
    #expect(device.name == "manual")
    #expect(device.geometry == inner.geometry)
    #expect(device.capabilities == inner.capabilities)
    #expect(device.statistics == BlockStatistics())
    #expect(device.channelStatistics.isEmpty)
  }

  /// As a multipath device before its first path.
  @Test func theSizeOfBlocksMayBecomeKnownLater() throws {
    let geometry = inner.geometry
    inner.geometry = BlockGeometry(blockByteCount: 512, blockCount: 0)
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    #expect(channel.submit(request(.flush)) == .accepted)
    inner.geometry = geometry
    #expect(channel.submit(request(.read, blocks: 2)) == .accepted)
    for _ in 0..<2 { inner.channels[0].endFirst() }
    advance(0)
    #expect(poll(channel).count == 2)
    #expect(device.statistics[.flush].byteCount == 0 && device.statistics[.read].byteCount == 2 * 4096)
  }

  @Test func requestsAreCountedByTheirKind() throws {
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    #expect(channel.submit(request(.read, blocks: 2, token: 11)) == .accepted)
    advance(1000)
    #expect(channel.submit(request(.write, token: 12)) == .accepted)
    #expect(device.statistics.outstandingCount == 2)
    advance(500)
    inner.channels[0].endFirst()
    advance(0)
    #expect(poll(channel).map(\.token) == [11])
    advance(2500)
    inner.channels[0].endFirst()
    advance(0)
    let written = poll(channel)
    #expect(written.map(\.token) == [12] && written[0].operation == .write && written[0].logicalBlockAddress == 7)
    for latency in [300, 100, 200] as [UInt64] {
      #expect(channel.submit(request(.read)) == .accepted)
      advance(latency)
      inner.channels[0].endFirst()
      advance(0)
    }
    for operation in [BlockOperation.flush, .discard, .writeZeroes, .compare] {
      #expect(channel.submit(request(operation, blocks: 3)) == .accepted)
      inner.channels[0].endFirst()
      advance(0)
      _ = poll(channel)
    }
    let statistics = device.statistics
    #expect(statistics[.read].count == 4)
    #expect(statistics[.read].byteCount == 5 * 4096)
    #expect(statistics[.read].latencySumNanoseconds == 1500 + 600)
    #expect(statistics[.read].minimumLatencyNanoseconds == 100)
    #expect(statistics[.read].maximumLatencyNanoseconds == 1500)
    #expect(statistics[.write].count == 1)
    #expect(statistics[.write].byteCount == 4096)
    #expect(statistics[.write].latencySumNanoseconds == 3000)
    #expect(statistics[.flush].count == 1 && statistics[.flush].byteCount == 0)
    #expect(statistics[.discard].count == 1 && statistics[.discard].byteCount == 3 * 4096)
    #expect(statistics[.writeZeroes].count == 1 && statistics[.compare].count == 1)
    #expect(statistics.outstandingCount == 0 && statistics.failures.isEmpty)
    channel.close()
    advance(0)
  }

  @Test func failuresAreCountedByTheirStatus() throws {
    let channel = try device.openChannel(on: reactor, queueDepth: 8)
    let ends: [(BlockOutcome, StatusField)] = [
      (.deviceError, StatusField(.generic, 0x80, doNotRetry: true)), (.deviceError, StatusField(.generic, 0x80)),
      (.compareMismatch, .compareFailure), (.connectionLost, .hostPathingError),
    ]
    for _ in ends { #expect(channel.submit(request(.write)) == .accepted) }
    advance(10)
    for (outcome, status) in ends { inner.channels[0].endFirst(outcome, status) }
    advance(0)
    #expect(poll(channel).map(\.outcome) == ends.map(\.0))
    let statistics = device.statistics
    // Nothing that failed is an operation; the flags of a status do not matter.
    #expect(statistics[.write].count == 0 && statistics[.write].byteCount == 0)
    #expect(statistics.failures.values.sorted() == [1, 1, 2])
    #expect(
      statistics.failures[
        BlockStatistics.Failure(outcome: .deviceError, status: StatusField(.generic, 0x80).rawValue & 0x7FF)] == 2)
    channel.close()
    advance(0)
  }

  @Test func channelsAddUpAndOutliveTheirEnd() throws {
    let first = try device.openChannel(on: reactor, queueDepth: 4)
    let second = try device.openChannel(on: reactor, queueDepth: 4)
    for (place, channel) in [first, second].enumerated() {
      #expect(channel.submit(request(.read)) == .accepted)
      advance(UInt64(100 * (place + 1)))
      inner.channels[place].endFirst()
      advance(0)
    }
    #expect(device.channelStatistics.map { $0.statistics[.read].latencySumNanoseconds } == [100, 200])
    first.close()
    advance(0)
    #expect(device.channelStatistics.count == 1)
    #expect(device.statistics[.read].count == 2)
    #expect(device.statistics[.read].minimumLatencyNanoseconds == 100)
    #expect(device.statistics[.read].maximumLatencyNanoseconds == 200)
    second.close()
    advance(0)
    #expect(device.statistics[.read].count == 2 && device.channelStatistics.isEmpty)
    #expect(device.statistics(on: reactor.handle)[.read].count == 2)
    #expect(device.statistics(on: try Reactor().handle)[.read].count == 0)
    #expect(reactor.sourceCount == 0)
  }

  @Test(arguments: BlockStatistics.Reset.allCases)
  func aResetSetsBackWhatItNames(reset: BlockStatistics.Reset) throws {
    let closed = try device.openChannel(on: reactor, queueDepth: 4)
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    func work(_ channel: BlockChannel, _ place: Int, _ latency: UInt64) {
      #expect(channel.submit(request(.read)) == .accepted)
      #expect(channel.submit(request(.read)) == .accepted)
      advance(latency)
      inner.channels[place].endFirst()
      inner.channels[place].endFirst(.deviceError, StatusField(.generic, 6))
      advance(0)
      _ = poll(channel)
    }
    work(closed, 0, 50)
    work(channel, 1, 100)
    closed.close()
    advance(0)
    device.resetStatistics(reset)
    var read = device.statistics[.read]
    #expect(read.count == (reset == .all ? 0 : 2))
    #expect(read.byteCount == (reset == .all ? 0 : 8192))
    #expect(read.latencySumNanoseconds == (reset == .all ? 0 : 150))
    #expect(read.minimumLatencyNanoseconds == (reset == .failures ? 50 : 0))
    #expect(read.maximumLatencyNanoseconds == (reset == .failures ? 100 : 0))
    #expect(device.statistics.failures.values.reduce(0, +) == (reset == .extremes ? 2 : 0))
    // And it goes on from there.
    work(channel, 1, 70)
    read = device.statistics[.read]
    #expect(read.count == (reset == .all ? 1 : 3))
    #expect(read.minimumLatencyNanoseconds == (reset == .failures ? 50 : 70))
    #expect(read.maximumLatencyNanoseconds == (reset == .failures ? 100 : 70))
    channel.close()
    advance(0)
  }

  @Test func aHistogramCountsWhileItIsEnabled() throws {
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    func work(_ operation: BlockOperation, _ latency: UInt64) {
      #expect(channel.submit(request(operation)) == .accepted)
      advance(latency)
      inner.channels[0].endFirst()
      advance(0)
      _ = poll(channel)
    }
    work(.read, 5)
    #expect(device.histogram == nil)
    device.enableHistogram(try #require(BlockHistogram.Configuration(operation: .read)))
    advance(0)
    work(.read, 5)
    work(.write, 5)
    work(.read, 128)
    work(.read, 1 << 40)
    // A channel that comes later fills it, too.
    let late = try device.openChannel(on: reactor, queueDepth: 1)
    #expect(late.submit(request(.read)) == .accepted)
    advance(5)
    inner.channels[1].endFirst()
    advance(0)
    let histogram = try #require(device.histogram)
    let counts = histogram.counts
    #expect(counts.count == 58 * 128)
    #expect(counts[5] == 2 && counts[128] == 1 && counts[34 * 128] == 1 && counts.reduce(0, +) == 4)
    device.disableHistogram()
    advance(0)
    work(.read, 5)
    #expect(histogram.counts.reduce(0, +) == 4 && device.histogram == nil)
    channel.close()
    late.close()
    advance(0)
  }

  @Test func bucketsCoverAllLatenciesInOrder() throws {
    typealias Configuration = BlockHistogram.Configuration
    for granularity in [1, 4, 7] as [UInt32] {
      let configuration = try #require(Configuration(granularity: granularity))
      var last = 0
      for value in (0..<70_000 as Range<UInt64>) {
        let bucket = configuration.bucket(of: value)
        #expect(bucket == last || bucket == last + 1, "value \(value)")
        last = bucket
      }
      #expect(configuration.bucket(of: .max) == configuration.bucketCount - 1)
    }
    let narrow = try #require(Configuration(minimumNanoseconds: 1000, maximumNanoseconds: 1_000_000))
    #expect(narrow.firstRange == 3 && narrow.lastRange == 13)
    #expect(narrow.bucketCount == 11 * 128)
    #expect(narrow.bucket(of: 0) == 0 && narrow.bucket(of: .max) == narrow.bucketCount - 1)
    #expect(narrow.bucket(of: 1000) == 1000 >> 2 & 127)
    #expect(Configuration(granularity: 0) == nil && Configuration(granularity: 14) == nil)
    #expect(Configuration(minimumNanoseconds: 2, maximumNanoseconds: 1) == nil)
  }

  // MARK: Rate limits

  /// Keeps the channels full for so long, the device answering at once, and returns how many requests went through.
  private func requests(
    _ operations: [BlockOperation], blocks: UInt32 = 1, channels: [BlockChannel], milliseconds: Int
  ) -> [BlockOperation: Int] {
    var ended: [BlockOperation: Int] = [:]
    var next = 0
    for _ in 0..<(milliseconds * 20) {
      for channel in channels {
        while channel.submit(request(operations[next % operations.count], blocks: blocks)) == .accepted { next += 1 }
      }
      advance(50_000)
      for channel in inner.channels { while !channel.requests.isEmpty { channel.endFirst() } }
      reactor.turn(.none)
      for channel in channels {
        for completion in poll(channel) where completion.isSuccess { ended[completion.operation, default: 0] += 1 }
      }
    }
    return ended
  }

  @Test(arguments: [1, 3])
  func operationsAreLimitedForAllChannelsTogether(channelCount: Int) throws {
    device.rateLimits = BlockRateLimits(operationsPerSecond: 10_000)
    let channels = try (0..<channelCount).map { _ in try device.openChannel(on: reactor, queueDepth: 32) }
    let ended = requests([.read, .write], channels: channels, milliseconds: 100)
    let total = ended.values.reduce(0, +)
    // 1,000 in a tenth of a second, and a burst of 1 ms on top.
    #expect((990...1012).contains(total))
    #expect(device.statistics.heldCount > 500)
    // Every channel gets some.
    for entry in device.channelStatistics {
      let share = entry.statistics[.read].count + entry.statistics[.write].count
      #expect(share > UInt64(total / channelCount / 4))
    }
    for channel in channels { channel.close() }
    advance(0)
    #expect(reactor.sourceCount == 0)
  }

  @Test func bytesAreLimitedByDirection() throws {
    device.rateLimits = BlockRateLimits(readBytesPerSecond: 40_960_000, writeBytesPerSecond: 4_096_000)
    // A channel each: held requests go in their order.
    let reader = try device.openChannel(on: reactor, queueDepth: 32)
    let writer = try device.openChannel(on: reactor, queueDepth: 32)
    #expect((995...1012).contains(requests([.read], channels: [reader], milliseconds: 100)[.read] ?? 0))
    #expect((98...103).contains(requests([.write], channels: [writer], milliseconds: 100)[.write] ?? 0))
    reader.close()
    writer.close()
    advance(0)
    // Both together have a limit of their own.
    device.rateLimits = BlockRateLimits(bytesPerSecond: 8_192_000)
    let channel = try device.openChannel(on: reactor, queueDepth: 32)
    let both = requests([.read, .write], blocks: 2, channels: [channel], milliseconds: 100)
    #expect((95...105).contains(both.values.reduce(0, +)))
    channel.close()
    advance(0)
  }

  @Test func aRequestDearerThanTheBurstGoesAndIsPaidForByThoseBehind() throws {
    device.rateLimits = BlockRateLimits(bytesPerSecond: 1 << 20)
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    // A second's worth at once.
    #expect(channel.submit(request(.write, blocks: 256)) == .accepted)
    #expect(inner.channels[0].requests.count == 1)
    #expect(channel.submit(request(.read)) == .accepted)
    advance(998_000_000)
    #expect(inner.channels[0].requests.count == 1)
    advance(2_000_000)
    #expect(inner.channels[0].requests.count == 2)
    channel.close()
    advance(0)
  }

  @Test func whatIsNotLimitedPasses() throws {
    device.rateLimits = BlockRateLimits(operationsPerSecond: 1)
    let channel = try device.openChannel(on: reactor, queueDepth: 8)
    #expect(channel.submit(request(.write, token: 1)) == .accepted)
    #expect(channel.submit(request(.write, token: 2)) == .accepted)
    #expect(channel.submit(request(.flush, token: 3)) == .accepted)
    #expect(channel.submit(request(.discard, token: 4)) == .accepted)
    #expect(inner.channels[0].requests.map(\.operation) == [.write, .flush, .discard])
    // A limit that is lifted lets go of what waits, in its order.
    #expect(channel.submit(request(.read, token: 5)) == .accepted)
    device.rateLimits = .none
    advance(0)
    #expect(inner.channels[0].requests.map(\.operation) == [.write, .flush, .discard, .write, .read])
    while !inner.channels[0].requests.isEmpty { inner.channels[0].endFirst() }
    advance(0)
    #expect(poll(channel).map(\.token) == [1, 3, 4, 2, 5])
    channel.close()
    advance(0)
  }

  // MARK: The end

  @Test func aChannelThatIsClosedFailsWhatWaits() throws {
    device.rateLimits = BlockRateLimits(operationsPerSecond: 1)
    let channel = try device.openChannel(on: reactor, queueDepth: 8)
    for token in 1...3 as ClosedRange<UInt64> { #expect(channel.submit(request(.write, token: token)) == .accepted) }
    channel.close()
    #expect(channel.submit(request(.write)) == .refused(.closed))
    let failed = poll(channel)
    #expect(failed.map(\.token) == [2, 3] && failed.allSatisfy { $0.outcome == .notSent })
    // The one that is with the device ends as it can.
    inner.channels[0].endFirst()
    advance(0)
    let last = poll(channel)
    #expect(last.map(\.token) == [1] && last[0].isSuccess)
    #expect(reactor.sourceCount == 0)
    #expect(device.channelStatistics.isEmpty && device.statistics[.write].count == 1)
  }

  @Test func aDeviceThatGoesClosesTheChannel() throws {
    let channel = try device.openChannel(on: reactor, queueDepth: 8)
    #expect(channel.submit(request(.read, token: 9)) == .accepted)
    inner.channels[0].close()
    inner.channels[0].endFirst(.connectionLost, .hostPathingError)
    advance(0)
    #expect(channel.isClosed)
    #expect(poll(channel).map(\.token) == [9])
    #expect(reactor.sourceCount == 0)
  }

  @Test func aChannelNobodyHoldsIsLetGoOf() throws {
    weak var weakChannel: BlockChannel?
    do {
      let channel = try device.openChannel(on: reactor, queueDepth: 8)
      weakChannel = channel
      channel.close()
    }
    advance(0)
    inner.channels = []
    #expect(weakChannel == nil)
  }
}
