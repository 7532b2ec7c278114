internal import JSONRPC
internal import Synchronization

/// What has happened to devices, for clients that ask from time to time: the latest events, each under its number.
/// Any thread may call.
public final class Notifications: Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case deviceRegistered = "bdev_register"
    case deviceUnregistered = "bdev_unregister"
    case deviceResized = "bdev_resize"
  }

  struct Event: Sendable, Hashable {
    var number: UInt64
    var kind: Kind
    /// The name of what it is about.
    var context: String
  }

  /// Older ones are forgotten.
  static let capacity = 1024

  private struct Ring {
    var events: [Event] = []
    /// Where the oldest is, once the ring is full.
    var start = 0
    var nextNumber: UInt64 = 0
  }

  private let ring = Mutex(Ring())

  public init() {}

  public func post(_ kind: Kind, _ context: String) {
    ring.withLock { ring in
      let event = Event(number: ring.nextNumber, kind: kind, context: context)
      ring.nextNumber += 1
      if ring.events.count < Self.capacity {
        ring.events.append(event)
      } else {
        ring.events[ring.start] = event
        ring.start = (ring.start + 1) % Self.capacity
      }
    }
  }

  /// Events from `number` on that are still known, the oldest first.
  func events(from number: UInt64, maximumCount: UInt64) -> [Event] {
    ring.withLock { ring in
      let oldest = ring.nextNumber - UInt64(ring.events.count)
      guard number < ring.nextNumber else { return [] }
      let first = max(number, oldest)
      let count = min(ring.nextNumber - first, maximumCount)
      return (0..<count).map { ring.events[(ring.start + Int(first - oldest + $0)) % ring.events.count] }
    }
  }
}
