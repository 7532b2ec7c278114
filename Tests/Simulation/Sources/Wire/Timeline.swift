internal import BlockDevice
internal import HeapModule

/// Virtual time, what is to happen in it, and the chance that everything in one world depends upon.
final class Timeline {
  private struct Entry: Comparable {
    var time: UInt64
    var order: UInt64
    var body: () -> Void

    static func < (a: Self, b: Self) -> Bool { (a.time, a.order) < (b.time, b.order) }
    static func == (a: Self, b: Self) -> Bool { a.order == b.order }
  }

  private(set) var now: UInt64 = 1_000_000_000
  private var entries = Heap<Entry>()
  private var nextOrder: UInt64 = 0
  private var random: SplitMix64Generator
  /// What has happened, in a number: two worlds from one seed have the same.
  private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
  /// Has what happens printed, for whoever looks into one seed.
  private let isVerbose: Bool
  /// The first thing that must never happen, and has.
  private(set) var violation: String?

  static let millisecond: UInt64 = 1_000_000

  init(seed: UInt64, isVerbose: Bool) {
    random = SplitMix64Generator(seed: seed)
    self.isVerbose = isVerbose
  }

  // MARK: Time

  var nextTime: UInt64? { entries.min?.time }

  func after(_ nanoseconds: UInt64, _ body: @escaping () -> Void) {
    nextOrder += 1
    entries.insert(Entry(time: now + nanoseconds, order: nextOrder, body: body))
  }

  /// Moves on to `time`, or to what happens before it, and lets everything happen that is due then.
  func advance(to time: UInt64) {
    now = max(now, min(time, nextTime ?? time))
    while let entry = entries.min, entry.time <= now {
      _ = entries.popMin()
      entry.body()
    }
  }

  /// Nothing more happens: what waits, and all that it holds on to, goes.
  func end() { entries = Heap() }

  // MARK: Chance

  func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  func chance(_ probability: Double) -> Bool { probability > 0 && random.nextUnit() < probability }
  func pick<Value>(_ values: [Value]) -> Value { values[number(0...values.count - 1)] }
  func milliseconds(_ range: ClosedRange<Int>) -> UInt64 {
    UInt64(number(range)) * Self.millisecond + UInt64(number(0...999_999))
  }
  func microseconds(_ range: ClosedRange<Int>) -> UInt64 { UInt64(number(range)) * 1000 + UInt64(number(0...999)) }

  // MARK: What is told

  func note(_ value: UInt64) { trace = (trace ^ value ^ now) &* 0x0000_0100_0000_01B3 }
  func tell(_ text: @autoclosure () -> String) {
    if isVerbose { print("\(now / Self.millisecond).\(now / 1000 % 1000) \(text())") }
  }
  func violate(_ text: String) { if violation == nil { violation = text } }
}
