/// Memory for the data of requests, shared by the connections of a reactor: powers of two from 4 KiB on, page-aligned, those
/// given back last handed out first, while they are in the processor's caches.
///
/// It keeps so many bytes at most; what is given back beyond that is freed. Used by one thread alone.
public final class NBDBufferPool {
  /// A size of buffers: 4 KiB shifted left so often.
  public typealias SizeClass = UInt8

  private struct State {
    /// Each free buffer holds the address of the next one.
    var free: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    var keptByteCount = 0
    var lentByteCount = 0
  }

  private static let smallestShift = 12
  private static let classCount: SizeClass = 20
  public static let alignment = 4096

  /// Behind a pointer: class storage would pay an exclusivity check an access.
  private let state: UnsafeMutablePointer<State>
  private let maximumKeptByteCount: Int

  /// - Parameter maximumKeptByteCount: bytes of buffers that nobody uses.
  public init(maximumKeptByteCount: Int = 16 << 20) {
    self.maximumKeptByteCount = maximumKeptByteCount
    state = .allocate(capacity: 1)
    let free = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Int(Self.classCount))
    free.initialize(repeating: nil, count: Int(Self.classCount))
    state.initialize(to: State(free: free))
  }

  deinit {
    removeAll()
    assert(state.pointee.lentByteCount == 0, "a pool outlives its buffers")
    state.pointee.free.deallocate()
    state.deallocate()
  }

  /// The class of the smallest buffer for so many bytes, at most 2 GiB.
  public static func sizeClass(forByteCount byteCount: Int) -> SizeClass {
    byteCount <= 1 << smallestShift
      ? 0 : SizeClass(Int.bitWidth - (byteCount - 1).leadingZeroBitCount - smallestShift)
  }

  public static func byteCount(of sizeClass: SizeClass) -> Int { 1 << (smallestShift + Int(sizeClass)) }

  /// Bytes of buffers that are in use.
  public var lentByteCount: Int { state.pointee.lentByteCount }
  /// Bytes of buffers that are not.
  public var keptByteCount: Int { state.pointee.keptByteCount }

  public func take(_ sizeClass: SizeClass) -> UnsafeMutableRawPointer {
    let byteCount = Self.byteCount(of: sizeClass)
    state.pointee.lentByteCount += byteCount
    let first = state.pointee.free + Int(sizeClass)
    guard let buffer = first.pointee else { return Self.allocate(byteCount) }
    first.pointee = buffer.load(as: UnsafeMutableRawPointer?.self)
    state.pointee.keptByteCount -= byteCount
    return buffer
  }

  public func give(_ buffer: UnsafeMutableRawPointer, _ sizeClass: SizeClass) {
    let byteCount = Self.byteCount(of: sizeClass)
    state.pointee.lentByteCount -= byteCount
    guard state.pointee.keptByteCount + byteCount <= maximumKeptByteCount else { return Self.deallocate(buffer) }
    let first = state.pointee.free + Int(sizeClass)
    buffer.storeBytes(of: first.pointee, as: UnsafeMutableRawPointer?.self)
    first.pointee = buffer
    state.pointee.keptByteCount += byteCount
  }

  // Not inlined: where a buffer is there, and may be kept, nothing of the allocator is to be on the way.
  @inline(never) private static func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
    .allocate(byteCount: byteCount, alignment: alignment)
  }

  @inline(never) private static func deallocate(_ buffer: UnsafeMutableRawPointer) { buffer.deallocate() }

  /// Frees what nobody uses.
  public func removeAll() {
    for sizeClass in 0..<Self.classCount {
      let first = state.pointee.free + Int(sizeClass)
      while let buffer = first.pointee {
        first.pointee = buffer.load(as: UnsafeMutableRawPointer?.self)
        buffer.deallocate()
      }
    }
    state.pointee.keptByteCount = 0
  }
}
