import Testing

@testable import BenchmarkCore

@Suite struct HistogramTests {
  @Test func smallValuesAreExact() {
    for value in UInt64(0)..<128 {
      #expect(LatencyHistogram.value(at: LatencyHistogram.index(of: value)) == value)
    }
  }

  @Test func bucketsAreOrderedAndNarrow() {
    var previous = -1
    for value in stride(from: UInt64(128), to: 20_000_000_000, by: 99_991_733) {
      let index = LatencyHistogram.index(of: value)
      #expect(index >= previous)
      previous = index
    }
    var random = RandomGenerator(seed: 3)
    for _ in 0..<10_000 {
      let value = random.below(17_000_000_000)
      let middle = Double(LatencyHistogram.value(at: LatencyHistogram.index(of: value)))
      #expect(abs(middle - Double(value)) <= max(1, Double(value) / 64))
    }
  }

  @Test func everyBucketHoldsItsOwnMiddle() {
    for index in 0..<LatencyHistogram.bucketCount {
      #expect(LatencyHistogram.index(of: LatencyHistogram.value(at: index)) == index)
    }
  }

  /// Bins that fio 3.33 printed.
  @Test(arguments: [239, 241, 255, 258, 262, 266, 1528, 48384, 97792, 98816, 102912, 136_192, 22_675_456, 64_749_568])
  func fioBinsAreOurs(_ middle: UInt64) {
    #expect(LatencyHistogram.value(at: LatencyHistogram.index(of: middle)) == middle)
  }

  @Test func hugeValuesShareTheLastBucket() {
    var histogram = LatencyHistogram()
    histogram.record(.max)
    histogram.record(1 << 40)
    #expect(histogram.total == 2)
    #expect(histogram.bins.count == 1)
  }

  @Test func percentilesAgreeWithTheSortedList() {
    var random = RandomGenerator(seed: 17)
    var histogram = LatencyHistogram()
    var values: [UInt64] = []
    for _ in 0..<20_000 {
      // Over six decades, as latencies are.
      let value = UInt64(100 * (1 / (1 - random.unit())).squareRoot() * Double(1 + random.below(1000)))
      values.append(value)
      histogram.record(value)
    }
    values.sort()
    let list = [1, 5, 50, 90, 99, 99.9, 99.99, 100]
    let result = histogram.percentiles(list)
    #expect(result.map(\.percent) == list)
    for (percent, nanoseconds) in result {
      let rank = max(1, Int((percent / 100 * 20_000).rounded(.up)))
      let exact = Double(values[rank - 1])
      #expect(abs(Double(nanoseconds) - exact) <= exact / 64 + 1, "\(percent)")
    }
  }

  @Test func emptyAndMerged() {
    var first = LatencyHistogram()
    #expect(first.percentiles([50]).isEmpty)
    var second = LatencyHistogram()
    first.record(10)
    second.record(1000)
    first.add(second)
    #expect(first.total == 2)
    #expect(first.percentiles([50, 100]).map(\.nanoseconds) == [10, 1004])
    let copy = first.detachedCopy()
    #expect(copy == first)
    first.reset()
    #expect(first.total == 0 && copy.total == 2)
  }

  @Test func runningStatisticsAgreeWithTheDefinition() {
    let values: [UInt64] = [3, 9, 4, 4, 100, 0]
    var statistics = RunningStatistics()
    for value in values { statistics.record(value) }
    let mean = 120.0 / 6
    let variance = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 5
    #expect(statistics.minimum == 0 && statistics.maximum == 100 && statistics.count == 6)
    #expect(abs(statistics.mean - mean) < 1e-9)
    #expect(abs(statistics.standardDeviation - variance.squareRoot()) < 1e-9)
    var left = RunningStatistics()
    var right = RunningStatistics()
    for value in values[..<2] { left.record(value) }
    for value in values[2...] { right.record(value) }
    left.merge(right)
    #expect(abs(left.mean - statistics.mean) < 1e-9)
    #expect(abs(left.standardDeviation - statistics.standardDeviation) < 1e-9)
    left.merge(RunningStatistics())
    #expect(left.count == 6)
  }

  @Test func depthsAndBatches() {
    var depths = DepthCounters()
    for depth in [1, 2, 3, 4, 7, 8, 16, 32, 63, 64, 1000] { depths.recordDepth(depth) }
    #expect((0..<7).map { depths.counts[$0] } == [1, 2, 2, 1, 1, 2, 2])
    var batches = DepthCounters()
    for size in [0, 1, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65] { batches.recordBatch(size) }
    #expect((0..<7).map { batches.counts[$0] } == [1, 2, 2, 2, 2, 2, 1])
  }

  @Test func latencyTableHasFiosLimits() {
    var table = LatencyTable()
    for value in [1, 2, 9, 999] as [UInt64] { table.record(value) }
    for value in [1000, 1_999, 2_000, 999_999] as [UInt64] { table.record(value) }
    for value in [1_000_000, 999_000_000, 1_000_000_000, 2_000_000_000] as [UInt64] { table.record(value) }
    #expect(Array(table.nanosecondCounts) == [1, 1, 1, 0, 0, 0, 0, 0, 0, 1])
    #expect(Array(table.microsecondCounts) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    #expect(Array(table.millisecondCounts) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
  }
}
