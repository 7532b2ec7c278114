/// One end of a copy: a block device, a file, a stream. Offsets and lengths are in bytes.
protocol CopyEndpoint: AnyObject, Sendable {
  /// For messages.
  var name: String { get }
  /// Bytes there are; nil when that shows only at the end.
  var byteCount: UInt64? { get }
  /// Most bytes that fit; nil when there is no limit known.
  var capacity: UInt64? { get }
  /// A power of two that offsets and lengths must be multiples of; 1 for files.
  var alignment: Int { get }
  /// Bytes go by in order, once: what has been read cannot be read again.
  var isSequential: Bool { get }

  /// Reads into memory that is lent until the call returns.
  ///
  /// - Returns: how many bytes; fewer than asked for at the end alone.
  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) async throws(CopyFault) -> Int
  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) async throws(CopyFault)
  /// Makes a range read as zeroes without sending them where that can be done.
  func writeZeroes(at offset: UInt64, byteCount: Int) async throws(CopyFault)
  /// Passes over a range that cannot be copied: what is there stays, what is not there is zeroes.
  func leaveOut(at offset: UInt64, byteCount: Int) async throws(CopyFault)
  /// Puts everything on stable media.
  func flush() async throws(CopyFault)
  /// What a message calls a range: block numbers for devices.
  func place(_ range: Range<UInt64>) -> String
}

extension CopyEndpoint {
  /// A stream has no place to leave out.
  func leaveOut(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    if isSequential { try await writeZeroes(at: offset, byteCount: byteCount) }
  }

  func place(_ range: Range<UInt64>) -> String { "bytes \(range.lowerBound)…\(range.upperBound - 1)" }
}
