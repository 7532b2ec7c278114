internal import Glibc

/// Has a range of a ``RingFile`` read as zeroes, in the best way that its file system has.
///
/// It is a row of steps, each an operation on the ring. That a file system lacks a way shows when it is first tried.
public struct FileZeroing {
  public enum Holes: Sendable {
    /// Blocks stay allocated: later writes to them must not fail for want of room.
    case forbidden
    case allowed
    case wanted
  }

  private enum Step {
    case allocation(FileAllocation)
    case write
    case synchronization
  }

  /// What is written where nothing better is there; pages never written take no memory.
  private static let zeroes = try? MemoryRegion(byteCount: 1 << 20, isReadOnly: true)

  /// Of what is left.
  private var offset: UInt64
  private var byteCount: UInt64
  private let holes: Holes
  private let isFast: Bool
  private let isSynchronous: Bool
  private var step = Step.write

  /// - Parameters:
  ///   - isFast: rather fails with `EOPNOTSUPP` than takes as long as writing.
  ///   - isSynchronous: ends only when the zeroes are on stable media.
  public init(offset: UInt64, byteCount: UInt64, holes: Holes, isFast: Bool = false, isSynchronous: Bool) {
    self.offset = offset
    self.byteCount = byteCount
    self.holes = holes
    self.isFast = isFast
    self.isSynchronous = isSynchronous
  }

  /// Starts the next step.
  ///
  /// - Returns: nil when there is one, which ends with a completion for ``completed(_:of:source:operation:tag:)``; else an
  ///   `errno`.
  public mutating func start(
    _ file: RingFile, source: ReactorSource, operation: UInt8, tag: UInt16
  ) -> Int32? {
    if let allocation = allocation(of: file) {
      step = .allocation(allocation)
      file.allocate(
        allocation, offset: offset, byteCount: byteCount, source: source, operation: operation, tag: tag)
      return nil
    }
    guard !isFast else { return EOPNOTSUPP }
    guard let zeroes = Self.zeroes else { return ENOMEM }
    step = .write
    file.write(
      zeroes.base, byteCount: UInt32(min(byteCount, UInt64(zeroes.byteCount))), offset: offset, source: source,
      operation: operation, tag: tag)
    return nil
  }

  private func allocation(of file: RingFile) -> FileAllocation? {
    // What the kernel does to a block device in this way may be writing.
    let hasZeroRange = file.has(.zeroRange) && !(isFast && file.isBlockSpecial)
    let hasHoles = file.has(.punchHole) && holes != .forbidden
    if hasHoles && (holes == .wanted || !hasZeroRange) { return .punchHole }
    return hasZeroRange ? .zeroRange : nil
  }

  /// Takes a step's result, and starts the next.
  ///
  /// - Returns: nil when it goes on; else how it has ended, an `errno` or 0.
  public mutating func completed(
    _ result: Int32, of file: RingFile, source: ReactorSource, operation: UInt8, tag: UInt16
  ) -> Int32? {
    switch step {
    case .allocation(let allocation) where FileAllocation.isMissing(result):
      file.ruleOut(allocation)
      return start(file, source: source, operation: operation, tag: tag)
    case .synchronization:
      return -min(0, file.synchronized(result))
    case _ where result < 0:
      return -result
    case .write where result == 0:
      return EIO
    case .write where UInt64(result) < byteCount:
      offset += UInt64(result)
      byteCount -= UInt64(result)
      return start(file, source: source, operation: operation, tag: tag)
    case .allocation, .write:
      guard isSynchronous else { return 0 }
      step = .synchronization
      file.synchronize(source: source, operation: operation, tag: tag)
      return nil
    }
  }
}
