internal import NVMeHost
internal import Synchronization

/// Decides when requests may go, for all channels of a device together. Lock-free; any thread may call.
///
/// Sans-I/O: the time comes in. Each limit is a token bucket, kept as the one time at which it would be full again ("theoretical arrival time"
/// of the generic cell rate algorithm, ITU-T I.371): a request moves it on by what the request costs, and may go while it
/// is no further ahead than the burst. A request dearer than the burst goes when the bucket allows any at all, and is
/// paid for by those behind it.
final class BlockRateLimiter: Sendable {
  /// How far ahead of its rate a device may be: what a burst is worth.
  static let burstNanoseconds: UInt64 = 1_000_000

  private struct Bucket: ~Copyable {
    let unitsPerSecond = Atomic<UInt64>(0)
    let fullAtNanoseconds = Atomic<UInt64>(0)

    /// When a request may go: now, or later.
    func admissionNanoseconds(now: UInt64) -> UInt64 {
      guard unitsPerSecond.load(ordering: .relaxed) != 0 else { return now }
      let full = fullAtNanoseconds.load(ordering: .relaxed)
      return full <= now &+ BlockRateLimiter.burstNanoseconds ? now : full &- BlockRateLimiter.burstNanoseconds
    }

    func charge(_ units: UInt64, now: UInt64) {
      let rate = unitsPerSecond.load(ordering: .relaxed)
      guard rate != 0 else { return }
      // Rounded up: never more than the limit says. Requests are below 4 GiB, so the product fits.
      let cost = (units &* 1_000_000_000 &+ rate &- 1) / rate
      var full = fullAtNanoseconds.load(ordering: .relaxed)
      while true {
        let (isExchanged, current) = fullAtNanoseconds.weakCompareExchange(
          expected: full, desired: max(full, now) &+ cost, ordering: .relaxed)
        if isExchanged { return }
        full = current
      }
    }

    func set(_ rate: UInt64) {
      if unitsPerSecond.exchange(rate, ordering: .relaxed) != rate { fullAtNanoseconds.store(0, ordering: .relaxed) }
    }
  }

  private let active = Atomic<Bool>(false)
  private let operations = Bucket()
  private let bytes = Bucket()
  private let readBytes = Bucket()
  private let writeBytes = Bucket()

  init() {}

  /// Whether there is any limit.
  @inline(__always)
  var isActive: Bool { active.load(ordering: .relaxed) }

  var limits: BlockRateLimits {
    BlockRateLimits(
      operationsPerSecond: operations.unitsPerSecond.load(ordering: .relaxed),
      bytesPerSecond: bytes.unitsPerSecond.load(ordering: .relaxed),
      readBytesPerSecond: readBytes.unitsPerSecond.load(ordering: .relaxed),
      writeBytesPerSecond: writeBytes.unitsPerSecond.load(ordering: .relaxed))
  }

  func set(_ limits: BlockRateLimits) {
    operations.set(limits.operationsPerSecond)
    bytes.set(limits.bytesPerSecond)
    readBytes.set(limits.readBytesPerSecond)
    writeBytes.set(limits.writeBytesPerSecond)
    active.store(limits != .none, ordering: .relaxed)
    Revision.mark()
  }

  /// Takes a request into account if it may go now.
  ///
  /// - Returns: `now` when it may; else the time at which to ask again. Only reads, writes and comparisons are limited.
  func admit(_ operation: BlockOperation, byteCount: UInt64, now: UInt64) -> UInt64 {
    guard operation.hasData else { return now }
    let isWrite = operation == .write
    var admission = max(operations.admissionNanoseconds(now: now), bytes.admissionNanoseconds(now: now))
    admission = max(
      admission, isWrite ? writeBytes.admissionNanoseconds(now: now) : readBytes.admissionNanoseconds(now: now))
    guard admission == now else { return admission }
    operations.charge(1, now: now)
    bytes.charge(byteCount, now: now)
    if isWrite { writeBytes.charge(byteCount, now: now) } else { readBytes.charge(byteCount, now: now) }
    return now
  }
}
