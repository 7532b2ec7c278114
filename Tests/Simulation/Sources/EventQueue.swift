internal import HeapModule

/// Virtual time, and what is to happen in it: first what is due first, then what was scheduled first.
struct EventQueue<Event> {
  private struct Entry: Comparable {
    var time: UInt64
    var order: UInt64
    var event: Event

    static func < (a: Self, b: Self) -> Bool { (a.time, a.order) < (b.time, b.order) }
    static func == (a: Self, b: Self) -> Bool { a.order == b.order }
  }

  private(set) var now: UInt64 = 1_000_000_000
  private var entries = Heap<Entry>()
  private var nextOrder: UInt64 = 0
  /// Events in a row between which no time has passed.
  private(set) var countAtOneTime = 0

  mutating func schedule(_ event: Event, in nanoseconds: UInt64) { schedule(event, at: now + nanoseconds) }

  mutating func schedule(_ event: Event, at time: UInt64) {
    nextOrder += 1
    entries.insert(Entry(time: max(time, now), order: nextOrder, event: event))
  }

  /// Moves on to the next event, or to `end`: then there is none.
  mutating func next(until end: UInt64) -> Event? {
    guard let entry = entries.min, entry.time <= end else {
      now = max(now, end)
      return nil
    }
    _ = entries.popMin()
    countAtOneTime = entry.time == now ? countAtOneTime + 1 : 0
    now = max(now, entry.time)
    return entry.event
  }
}
