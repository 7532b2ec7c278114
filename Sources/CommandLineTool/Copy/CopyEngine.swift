import BlockDevice
import Glibc
import Synchronization

/// Moves a range of bytes from one end to another, several pieces at once.
///
/// A piece that fails is tried again in halves down to single blocks, so that what is reported is what is bad, and what
/// can be saved is. What is done is known at any moment as one number: everything in front of ``resumeOffset`` is.
final class CopyEngine: Sendable {
  private struct State {
    /// Where the next piece begins.
    var next: UInt64
    /// Where the range ends, once that is known.
    var end: UInt64?
    /// By worker: from where on its piece is not done.
    var unfinished: [UInt64?]
    var outcome = CopyOutcome()
    var isStopping = false
  }

  /// The end of a worker, for a reason that the state holds.
  private struct Stop: Error {}

  let source: any CopyEndpoint
  let destination: any CopyEndpoint
  let options: CopyOptions
  /// The smallest piece that is tried by itself.
  let granularity: Int
  private let state: Mutex<State>
  private let done = Atomic<UInt64>(0)
  private let readGate: SequenceGate?
  private let writeGate: SequenceGate?

  /// The options have been held against both ends: see ``CopyPlan``.
  init(source: any CopyEndpoint, destination: any CopyEndpoint, options: CopyOptions) {
    self.source = source
    self.destination = destination
    self.options = options
    let alignment = max(source.alignment, destination.alignment)
    granularity = alignment > 1 ? alignment : min(4096, options.chunkByteCount)
    let end = options.byteCount ?? source.byteCount.map { $0 - min($0, options.sourceOffset) }
    state = Mutex(
      State(next: options.resumeOffset, end: end, unfinished: Array(repeating: nil, count: options.depth)))
    readGate = source.isSequential ? SequenceGate(first: options.resumeOffset) : nil
    writeGate =
      destination.isSequential && options.mode == .copy ? SequenceGate(first: options.resumeOffset) : nil
  }

  /// Bytes done by this run. Any thread may ask.
  var doneByteCount: UInt64 { done.load(ordering: .relaxed) }
  /// Bytes that this run has to do; nil when that shows only at the end.
  var totalByteCount: UInt64? { state.withLock { $0.end.map { $0 - min($0, options.resumeOffset) } } }
  /// Everything in front is done, but for bad ranges. Any thread may ask, while the copy runs, too.
  var resumeOffset: UInt64 { state.withLock { Self.resumeOffset($0) } }

  private static func resumeOffset(_ state: State) -> UInt64 {
    let next = state.end.map { min($0, state.next) } ?? state.next
    return state.unfinished.reduce(next) { min($0, $1 ?? .max) }
  }

  /// Ends the copy in good order: pieces under way are finished, no new ones begun. Any thread may call.
  func interrupt() {
    state.withLock { state in
      state.isStopping = true
      state.outcome.wasInterrupted = true
    }
    (source as? StreamEndpoint)?.stop()
  }

  /// Carries the copy out; flushes the destination at the end, also of a copy that failed.
  func run() async -> CopyOutcome {
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<options.depth { group.addTask { await self.work(worker) } }
    }
    if options.mode == .copy {
      do throws(CopyFault) { try await destination.flush() } catch {
        state.withLock { state in
          let range = options.resumeOffset..<max(options.resumeOffset, Self.resumeOffset(state))
          if state.outcome.failure == nil { state.outcome.failure = .init(range: range, fault: error) }
          // What is in a cache that cannot be flushed is not done, whatever else has failed before.
          state.unfinished[0] = options.resumeOffset
        }
      }
    }
    return state.withLock { state in
      var outcome = state.outcome
      outcome.byteCount = doneByteCount
      outcome.resumeOffset = Self.resumeOffset(state)
      // An interruption that came after the last piece interrupted nothing.
      if outcome.failure == nil, let end = state.end, outcome.resumeOffset >= end { outcome.wasInterrupted = false }
      outcome.badRanges = Self.joined(outcome.badRanges)
      return outcome
    }
  }

  // MARK: Workers

  private func claim(_ worker: Int) -> Range<UInt64>? {
    state.withLock { state in
      let end = state.end ?? .max
      guard !state.isStopping, state.next < end else { return nil }
      let lower = state.next
      state.next = lower + min(UInt64(options.chunkByteCount), end - lower)
      state.unfinished[worker] = lower
      return lower..<state.next
    }
  }

  private func work(_ worker: Int) async {
    let buffer = CopyBuffer(byteCount: options.chunkByteCount)
    let comparesCopies = options.mode == .verify || options.verifiesEachChunk
    let second = comparesCopies ? CopyBuffer(byteCount: options.chunkByteCount) : nil
    while let range = claim(worker) {
      var piece = Piece(worker: worker, chunk: range, buffer: buffer, second: second)
      do {
        try await move(range, &piece)
      } catch {
        readGate?.close()
        writeGate?.close()
        return
      }
      if let writeGate {
        // Chunks of which nothing was written take their turn all the same.
        guard await enterWriteGate(&piece) else { return }
        writeGate.leave(next: range.upperBound)
      }
      state.withLock { $0.unfinished[worker] = nil }
    }
  }

  /// A worker's chunk while it is moved.
  private struct Piece {
    var worker: Int
    var chunk: Range<UInt64>
    var buffer: CopyBuffer
    var second: CopyBuffer?
    var holdsWriteGate = false
  }

  /// Moves a part of a chunk, in halves where the whole fails.
  private func move(_ range: Range<UInt64>, _ piece: inout Piece) async throws(Stop) {
    // A device on which nothing works any more would keep us here for long.
    if range != piece.chunk, state.withLock({ $0.outcome.wasInterrupted }) {
      state.withLock { $0.unfinished[piece.worker] = range.lowerBound }
      throw Stop()
    }
    let fault: CopyFault
    do throws(CopyFault) {
      let count = try await transfer(range, &piece)
      done.wrappingAdd(UInt64(count), ordering: .relaxed)
      return
    } catch { fault = error }
    if !fault.isFatal, !source.isSequential, range.count > granularity {
      let units = (UInt64(range.count) / UInt64(granularity) + 1) / 2
      let middle = range.lowerBound + units * UInt64(granularity)
      try await move(range.lowerBound..<middle, &piece)
      state.withLock { $0.unfinished[piece.worker] = middle }
      try await move(middle..<range.upperBound, &piece)
      return
    }
    try await fail(range, fault, &piece)
  }

  /// Takes note of a part that cannot be moved; throws when that ends the copy.
  private func fail(_ range: Range<UInt64>, _ fault: CopyFault, _ piece: inout Piece) async throws(Stop) {
    if fault.kind == .stopped { throw Stop() }
    if !fault.isFatal, options.ignoredRanges.contains(where: { $0.overlaps(range) }) { return }
    let bad = CopyOutcome.BadRange(range: range, fault: fault)
    let isTolerated = state.withLock { state in
      guard options.continuesOnError, !fault.isFatal, !source.isSequential else { return false }
      if state.outcome.badRanges.count >= options.maximumBadRangeCount {
        state.outcome.badRanges = Self.joined(state.outcome.badRanges)
      }
      guard state.outcome.badRanges.count < options.maximumBadRangeCount else { return false }
      state.outcome.badRanges.append(bad)
      return true
    }
    guard isTolerated else { throw end(bad, piece) }
    guard options.mode == .copy else { return }
    guard await enterWriteGate(&piece) else { throw Stop() }
    do throws(CopyFault) {
      try await destination.leaveOut(at: options.destinationOffset + range.lowerBound, byteCount: range.count)
    } catch {
      throw end(CopyOutcome.BadRange(range: range, fault: error), piece)
    }
  }

  /// Takes note of what ends the copy.
  private func end(_ bad: CopyOutcome.BadRange, _ piece: Piece) -> Stop {
    state.withLock { state in
      state.isStopping = true
      state.unfinished[piece.worker] = bad.range.lowerBound
      // Of several that fail at once, the first one counts: the copy goes on there.
      if let first = state.outcome.failure, first.range.lowerBound <= bad.range.lowerBound { return }
      state.outcome.failure = bad
    }
    return Stop()
  }

  private func enterWriteGate(_ piece: inout Piece) async -> Bool {
    guard let writeGate, !piece.holdsWriteGate else { return true }
    piece.holdsWriteGate = await writeGate.enter(piece.chunk.lowerBound)
    return piece.holdsWriteGate
  }

  // MARK: One attempt

  /// - Returns: bytes moved.
  private func transfer(_ range: Range<UInt64>, _ piece: inout Piece) async throws(CopyFault) -> Int {
    let buffer = piece.buffer.prefix(range.count)
    let count = try await readSource(range, into: buffer)
    if count == 0 { return 0 }
    // The destination takes whole blocks: zeroes fill the last one.
    let alignment = destination.alignment
    let paddedCount = (count + alignment - 1) / alignment * alignment
    let padded = piece.buffer.prefix(paddedCount)
    if padded.count > count { memset(padded.baseAddress! + count, 0, padded.count - count) }
    let position = options.destinationOffset + range.lowerBound
    if let capacity = destination.capacity, position + UInt64(padded.count) > capacity {
      throw CopyFault(
        .full, "\(source.name) is longer than what is left of \(destination.name) (\(capacity) bytes in all)",
        isFatal: true)
    }
    let part = range.lowerBound..<range.lowerBound + UInt64(count)
    if options.mode == .copy {
      guard await enterWriteGate(&piece) else { throw .stopped }
      try await writeDestination(UnsafeRawBufferPointer(padded), at: position)
    }
    if let second = piece.second {
      try await compare(part, UnsafeRawBufferPointer(padded), second.prefix(padded.count), at: position)
    }
    return count
  }

  private func readSource(
    _ range: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer
  ) async throws(CopyFault) -> Int {
    let position = options.sourceOffset + range.lowerBound
    guard let readGate else {
      let count = try await source.read(at: position, into: buffer)
      guard count == buffer.count else {
        throw CopyFault(
          .file, "\(source.name) has become shorter: it ends at byte \(position + UInt64(count))", isFatal: true)
      }
      return count
    }
    guard await readGate.enter(range.lowerBound) else { throw .stopped }
    var count = 0
    // Not beyond an end that has been seen: a terminal would begin anew.
    if state.withLock({ $0.end.map { range.lowerBound < $0 } ?? true }) {
      count = try await source.read(at: position, into: buffer)
      let end = range.lowerBound + UInt64(count)
      if let length = options.byteCount, count < buffer.count {
        throw CopyFault(.file, "\(source.name) ended after \(end) bytes of --length \(length)", isFatal: true)
      }
      if count < buffer.count { state.withLock { $0.end = end } }
    }
    readGate.leave(next: range.upperBound)
    return count
  }

  private func writeDestination(_ bytes: UnsafeRawBufferPointer, at position: UInt64) async throws(CopyFault) {
    guard options.isSparse, !destination.isSequential else {
      try await destination.write(at: position, from: bytes)
      return
    }
    var offset = 0
    for run in ZeroRuns(bytes, granularity: max(granularity, 4096)) {
      let at = position + UInt64(offset)
      if run.isZero {
        try await destination.writeZeroes(at: at, byteCount: run.byteCount)
        state.withLock { $0.outcome.zeroByteCount += UInt64(run.byteCount) }
      } else {
        try await destination.write(
          at: at, from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + run.byteCount]))
      }
      offset += run.byteCount
    }
  }

  private func compare(
    _ range: Range<UInt64>, _ expected: UnsafeRawBufferPointer, _ found: UnsafeMutableRawBufferPointer,
    at position: UInt64
  ) async throws(CopyFault) {
    let count = try await destination.read(at: position, into: found)
    let wanted = Int(range.upperBound - range.lowerBound)
    guard count < wanted || memcmp(expected.baseAddress!, found.baseAddress!, wanted) != 0 else { return }
    let same = zip(expected.prefix(wanted), found.prefix(count)).prefix { $0 == $1 }.count
    let first = options.sourceOffset + range.lowerBound + UInt64(same)
    let other = position + UInt64(same)
    throw CopyFault(
      .mismatch,
      "\(destination.name) differs from \(source.name) at byte \(other) (\(destination.place(other..<other + 1))), "
        + "which is byte \(first) of the source")
  }

  /// In ascending order; neighbours with the same kind of fault become one.
  static func joined(_ ranges: [CopyOutcome.BadRange]) -> [CopyOutcome.BadRange] {
    var result: [CopyOutcome.BadRange] = []
    for bad in ranges.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      if let last = result.last, last.range.upperBound == bad.range.lowerBound, last.fault.kind == bad.fault.kind {
        result[result.count - 1].range = last.range.lowerBound..<bad.range.upperBound
      } else {
        result.append(bad)
      }
    }
    return result
  }
}
