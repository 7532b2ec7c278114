/// Memory for the data of requests, shared by the connections of a reactor: powers of two from 4 KiB on, page-aligned, those
/// given back last handed out first, while they are in the processor's caches.
///
/// It keeps so many bytes at most; what is given back beyond that is freed. Used by one thread alone.
///
/// What clients have beyond what each has for itself they share: it is bounded, and has to be borrowed
/// (``borrow(_:_:)``). Who gets nothing waits for its turn: whoever gives something back asks ``nextTurn()``, and has that
/// client try again, whose turn ends with ``endTurn(of:)`` or with what it gets.
public final class NBDBufferPool {
  /// Tells clients apart; what it points to is their owner's.
  public typealias Client = UnsafeRawPointer

  /// A size of buffers: 4 KiB shifted left so often.
  public typealias SizeClass = UInt8

  private struct State {
    /// Each free buffer holds the address of the next one.
    var free: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    var keptByteCount = 0
    var lentByteCount = 0
    /// Of those lent, what is shared.
    var borrowedByteCount = 0
    /// Of ``waiters``: looked at for each request.
    var waiterCount = 0
    /// Those that wait, and for how much, in the order of coming.
    var waiters: [(client: Client, byteCount: Int)] = []
    /// The first of them is about to try again: nobody else is, for they would push each other back.
    var hasTurn = false
  }

  private static let smallestShift = 12
  private static let classCount: SizeClass = 20
  public static let alignment = 4096

  /// Behind a pointer: class storage would pay an exclusivity check an access.
  private let state: UnsafeMutablePointer<State>
  private let maximumKeptByteCount: Int
  private let maximumBorrowedByteCount: Int

  /// - Parameters:
  ///   - maximumKeptByteCount: bytes of buffers that nobody uses.
  ///   - maximumBorrowedByteCount: bytes that clients share. One request may always borrow what it needs, alone.
  public init(maximumKeptByteCount: Int = 16 << 20, maximumBorrowedByteCount: Int = .max) {
    self.maximumKeptByteCount = maximumKeptByteCount
    self.maximumBorrowedByteCount = maximumBorrowedByteCount
    state = .allocate(capacity: 1)
    let free = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: Int(Self.classCount))
    free.initialize(repeating: nil, count: Int(Self.classCount))
    state.initialize(to: State(free: free))
  }

  deinit {
    removeAll()
    assert(state.pointee.lentByteCount == 0, "a pool outlives its buffers")
    state.pointee.free.deallocate()
    state.deinitialize(count: 1)
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

  // MARK: What is shared

  /// Bytes that are borrowed.
  public var borrowedByteCount: Int { state.pointee.borrowedByteCount }
  public var hasWaiters: Bool { state.pointee.waiterCount > 0 }

  /// Borrows so many bytes. False when they are not there, or others wait for theirs: the client waits from here on.
  public func borrow(_ byteCount: Int, _ client: Client) -> Bool {
    if state.pointee.waiterCount > 0 || !isThere(byteCount) { return wait(for: byteCount, client) }
    state.pointee.borrowedByteCount += byteCount
    return true
  }

  public func giveBack(_ byteCount: Int) { state.pointee.borrowedByteCount -= byteCount }

  private func isThere(_ byteCount: Int) -> Bool {
    state.pointee.borrowedByteCount == 0
      || state.pointee.borrowedByteCount + byteCount <= maximumBorrowedByteCount
  }

  /// It gets what it needs all the same if it is the first, and that is there.
  @inline(never) private func wait(for byteCount: Int, _ client: Client) -> Bool {
    let place = state.pointee.waiters.firstIndex { $0.client == client }
    if place == 0 || state.pointee.waiterCount == 0, isThere(byteCount) {
      stopWaiting(client)
      state.pointee.borrowedByteCount += byteCount
      return true
    }
    if let place {
      state.pointee.waiters[place].byteCount = byteCount
      if place == 0 { state.pointee.hasTurn = false }
    } else {
      state.pointee.waiters.append((client, byteCount))
      state.pointee.waiterCount += 1
    }
    return false
  }

  /// Who is to try again now that there is what it waits for; nil also while another one is about to.
  @inline(never) public func nextTurn() -> Client? {
    guard !state.pointee.hasTurn, let first = state.pointee.waiters.first, isThere(first.byteCount) else { return nil }
    state.pointee.hasTurn = true
    return first.client
  }

  /// The client has tried again, if it was its turn. One that has asked for nothing waits no more.
  public func endTurn(of client: Client) {
    if state.pointee.hasTurn && state.pointee.waiters.first?.client == client { stopWaiting(client) }
  }

  /// The client does not need what it has waited for, or is no more.
  public func stopWaiting(_ client: Client) {
    guard let place = state.pointee.waiters.firstIndex(where: { $0.client == client }) else { return }
    if place == 0 { state.pointee.hasTurn = false }
    state.pointee.waiters.remove(at: place)
    state.pointee.waiterCount -= 1
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
