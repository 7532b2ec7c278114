import BlockDevice

/// One way to do I/O that must not allocate.
struct GateCase {
  var name: String
  var operation: BlockOperation
  var byteCount: Int
  /// Requests outstanding at once.
  var depth: Int
  /// Pieces that a request's memory is in.
  var pieceCount = 1
  /// Fewer runs of the large ones: a share of the usual count.
  var divisor = 1

  static let all = [
    GateCase(name: "4 KiB random read", operation: .read, byteCount: 4096, depth: 32),
    GateCase(name: "4 KiB random write (in the capsule)", operation: .write, byteCount: 4096, depth: 32),
    GateCase(name: "128 KiB random read", operation: .read, byteCount: 131_072, depth: 16, divisor: 5),
    GateCase(name: "128 KiB random write (R2T)", operation: .write, byteCount: 131_072, depth: 16, divisor: 5),
    GateCase(name: "64 KiB read, 5 odd pieces", operation: .read, byteCount: 65_536, depth: 16, pieceCount: 5),
    GateCase(name: "64 KiB write, 5 odd pieces", operation: .write, byteCount: 65_536, depth: 16, pieceCount: 5),
    GateCase(name: "4 KiB read, more than the queue holds", operation: .read, byteCount: 4096, depth: 300),
    GateCase(name: "3 MiB read, split", operation: .read, byteCount: 3 << 20, depth: 4, divisor: 100),
    GateCase(name: "flush", operation: .flush, byteCount: 0, depth: 8),
  ]

  /// Over two paths in turn.
  static let multipath = [
    GateCase(name: "two paths: 4 KiB random read", operation: .read, byteCount: 4096, depth: 32),
    GateCase(name: "two paths: 4 KiB random write", operation: .write, byteCount: 4096, depth: 32),
    GateCase(name: "two paths: 128 KiB random read", operation: .read, byteCount: 131_072, depth: 16, divisor: 5),
    GateCase(name: "two paths: more than the queues hold", operation: .read, byteCount: 4096, depth: 300),
  ]

  static let digests = [
    GateCase(name: "4 KiB random read, digests", operation: .read, byteCount: 4096, depth: 32),
    GateCase(name: "4 KiB random write, digests", operation: .write, byteCount: 4096, depth: 32),
    GateCase(name: "128 KiB random read, digests", operation: .read, byteCount: 131_072, depth: 16, divisor: 5),
    GateCase(name: "128 KiB random write, digests", operation: .write, byteCount: 131_072, depth: 16, divisor: 5),
  ]

  static let metered = [
    GateCase(name: "4 KiB random read", operation: .read, byteCount: 4096, depth: 32),
    GateCase(name: "4 KiB random write", operation: .write, byteCount: 4096, depth: 32),
  ]

  static let instant = [
    GateCase(name: "channel alone: 4 KiB random read", operation: .read, byteCount: 4096, depth: 32),
    GateCase(name: "channel alone: more than the queue holds", operation: .read, byteCount: 4096, depth: 300),
  ]
}
