import Synchronization

@testable import CommandLineTool

/// Memory as an end of a copy, with faults planted in it.
final class FaultyEndpoint: CopyEndpoint {
  struct Faults: Sendable {
    /// Reads that touch these bytes fail.
    var badReads: [Range<UInt64>] = []
    /// Writes that touch these bytes fail.
    var badWrites: [Range<UInt64>] = []
    var isFatal = false
    var failsFlush = false
  }

  private struct State {
    var bytes: [UInt8]
    var faults = Faults()
    var zeroedByteCount = 0
    var requestCount = 0
    var unalignedCount = 0
    /// Called before each request, outside of the lock.
    var observer: (@Sendable (Int) -> Void)?
  }

  let name: String
  let alignment: Int
  let isSequential: Bool
  private let isGrowing: Bool
  private let state: Mutex<State>

  init(_ name: String, _ bytes: [UInt8], alignment: Int = 512, isSequential: Bool = false, isGrowing: Bool = false) {
    self.name = name
    self.alignment = alignment
    self.isSequential = isSequential
    self.isGrowing = isGrowing
    state = Mutex(State(bytes: bytes))
  }

  var bytes: [UInt8] { state.withLock { $0.bytes } }
  var zeroedByteCount: Int { state.withLock { $0.zeroedByteCount } }
  var requestCount: Int { state.withLock { $0.requestCount } }
  var unalignedCount: Int { state.withLock { $0.unalignedCount } }
  var faults: Faults {
    get { state.withLock { $0.faults } }
    set { state.withLock { $0.faults = newValue } }
  }

  func observe(_ body: @escaping @Sendable (Int) -> Void) { state.withLock { $0.observer = body } }

  var byteCount: UInt64? { isSequential ? nil : UInt64(bytes.count) }
  var capacity: UInt64? { isGrowing ? nil : UInt64(bytes.count) }

  private func begin(_ offset: UInt64, _ count: Int) {
    let (number, observer) = state.withLock { state in
      state.requestCount += 1
      if offset % UInt64(alignment) != 0 || count % alignment != 0 { state.unalignedCount += 1 }
      return (state.requestCount, state.observer)
    }
    observer?(number)
  }

  private func check(_ what: String, _ bad: [Range<UInt64>], _ offset: UInt64, _ count: Int) throws(CopyFault) {
    let range = offset..<offset + UInt64(count)
    guard bad.contains(where: { $0.overlaps(range) }) else { return }
    throw CopyFault(.device, "\(what) of \(place(range)) on \(name) failed", isFatal: faults.isFatal)
  }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) async throws(CopyFault) -> Int {
    begin(offset, buffer.count)
    await Task.yield()
    try check("read", faults.badReads, offset, buffer.count)
    return state.withLock { state in
      let available = max(0, min(buffer.count, state.bytes.count - Int(offset)))
      for index in 0..<available { buffer[index] = state.bytes[Int(offset) + index] }
      return available
    }
  }

  private func store(_ offset: UInt64, _ new: [UInt8]) {
    state.withLock { state in
      let end = Int(offset) + new.count
      if end > state.bytes.count { state.bytes += [UInt8](repeating: 0, count: end - state.bytes.count) }
      state.bytes.replaceSubrange(Int(offset)..<end, with: new)
    }
  }

  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) async throws(CopyFault) {
    begin(offset, buffer.count)
    let new = [UInt8](buffer)
    await Task.yield()
    try check("write", faults.badWrites, offset, new.count)
    if isSequential, Int(offset) != bytes.count {
      throw CopyFault(.file, "out of order: \(offset) after \(bytes.count)", isFatal: true)
    }
    store(offset, new)
  }

  func writeZeroes(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    begin(offset, byteCount)
    try check("write", faults.badWrites, offset, byteCount)
    state.withLock { $0.zeroedByteCount += byteCount }
    store(offset, [UInt8](repeating: 0, count: byteCount))
  }

  func flush() async throws(CopyFault) {
    if faults.failsFlush { throw CopyFault(.device, "flush of \(name) failed") }
  }

  func place(_ range: Range<UInt64>) -> String {
    alignment == 1
      ? "bytes \(range.lowerBound)…\(range.upperBound - 1)"
      : "blocks \(range.lowerBound / UInt64(alignment))…\((range.upperBound - 1) / UInt64(alignment))"
  }
}
