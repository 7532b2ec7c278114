internal import Glibc
internal import NVMeProtocol
internal import RingReactor

/// The channel of a ``FileBlockDevice``: one ring operation a request, going on where the kernel stopped short.
///
/// Slots and their vectors are allocated with the channel. A slot's vectors grow when a request has more pieces than any
/// before it had in that slot, and stay so: in the long run a request allocates nothing.
final class FileChannel: BlockChannel {
  private struct Slot {
    var request = BlockRequest(.flush)
    var isUsed = false
    var doneByteCount = 0
    /// What is to be moved, kept until the request's end, because the kernel reads it. What has been moved lies before
    /// `firstVector`.
    var vectors: UnsafeMutablePointer<IOVector>
    var vectorCapacity: Int
    var firstVector = 0
    var vectorCount = 0
    /// Of write zeroes.
    var zeroing: FileZeroing?
  }

  private static let operation: UInt8 = 1
  /// The kernel takes no more vectors at once (UIO_MAXIOV).
  private static let maximumVectorCount = 1024
  private static let initialVectorCapacity = 4

  private let file: RingFile
  private let shape: (geometry: BlockGeometry, capabilities: BlockCapabilities)
  private let slots: UnsafeMutablePointer<Slot>
  private var freeSlots: [UInt16]
  private var isRetired = false

  init(
    reactor: Reactor, queueDepth: Int, file: RingFile, geometry: BlockGeometry, capabilities: BlockCapabilities
  ) {
    self.file = file
    shape = (geometry, capabilities)
    slots = .allocate(capacity: queueDepth)
    for index in 0..<queueDepth {
      (slots + index).initialize(
        to: Slot(
          vectors: .allocate(capacity: Self.initialVectorCapacity), vectorCapacity: Self.initialVectorCapacity))
    }
    freeSlots = (0..<UInt16(queueDepth)).reversed()
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  deinit {
    for index in 0..<queueDepth { slots[index].vectors.deallocate() }
    slots.deinitialize(count: queueDepth)
    slots.deallocate()
  }

  override var geometry: BlockGeometry { shape.geometry }
  override var capabilities: BlockCapabilities { shape.capabilities }

  override func start(_ request: BlockRequest) {
    guard let index = freeSlots.popLast() else { preconditionFailure("more requests than the channel is deep") }
    let slot = slots + Int(index)
    slot.pointee.request = request
    slot.pointee.isUsed = true
    slot.pointee.doneByteCount = 0
    slot.pointee.firstVector = 0
    slot.pointee.vectorCount = 0
    if request.operation.hasData {
      makeRoom(in: slot, for: max(1, Int(request.vectorCount)))
      request.forEachPiece { base, count in
        slot.pointee.vectors[slot.pointee.vectorCount] = IOVector(base: base, count: count)
        slot.pointee.vectorCount += 1
      }
    }
    begin(index)
  }

  private func makeRoom(in slot: UnsafeMutablePointer<Slot>, for count: Int) {
    guard count > slot.pointee.vectorCapacity else { return }
    slot.pointee.vectors.deallocate()
    slot.pointee.vectors = .allocate(capacity: count)
    slot.pointee.vectorCapacity = count
  }

  private func begin(_ index: UInt16) {
    let slot = slots + Int(index)
    let request = slot.pointee.request
    let blockByteCount = UInt64(geometry.blockByteCount)
    let offset = request.logicalBlockAddress * blockByteCount + UInt64(slot.pointee.doneByteCount)
    switch request.operation {
    case .read, .write:
      let vectors = UnsafeRawPointer(slot.pointee.vectors + slot.pointee.firstVector)
      let count = min(slot.pointee.vectorCount - slot.pointee.firstVector, Self.maximumVectorCount)
      if request.operation == .read {
        file.read(
          vectors: vectors, count: count, offset: offset, source: self, operation: Self.operation, tag: index)
      } else {
        file.write(
          vectors: vectors, count: count, offset: offset,
          isSynchronous: request.options.contains(.forceUnitAccess), source: self, operation: Self.operation,
          tag: index)
      }
    case .flush:
      file.synchronize(source: self, operation: Self.operation, tag: index)
    case .discard:
      file.allocate(
        .punchHole, offset: offset, byteCount: UInt64(request.blockCount) * blockByteCount, source: self,
        operation: Self.operation, tag: index)
    case .writeZeroes:
      var zeroing = FileZeroing(
        offset: offset, byteCount: UInt64(request.blockCount) * blockByteCount,
        holes: request.options.contains(.noHole) ? .forbidden : .allowed,
        isFast: request.options.contains(.fastZero), isSynchronous: request.options.contains(.forceUnitAccess))
      let failure = zeroing.start(file, source: self, operation: Self.operation, tag: index)
      slot.pointee.zeroing = zeroing
      if let failure {
        end(index, errno: failure)
        // Turns must not sleep while something can be polled.
        markReady()
      }
    case .compare, .verify:
      // Not among the capabilities, hence refused before.
      end(index, errno: EOPNOTSUPP)
    }
  }

  override func completed(_ completion: RingCompletion) {
    let index = completion.tag
    guard Int(index) < queueDepth, slots[Int(index)].isUsed else { return }
    let slot = slots + Int(index)
    switch slot.pointee.request.operation {
    case .writeZeroes:
      let ended = slot.pointee.zeroing?.completed(
        completion.result, of: file, source: self, operation: Self.operation, tag: index)
      if let ended { end(index, errno: ended) }
    // A hint, which a file system without holes does not follow.
    case .discard where FileAllocation.isMissing(completion.result):
      end(index, errno: 0)
    case .flush:
      end(index, errno: -min(0, file.synchronized(completion.result)))
    case _ where completion.result < 0:
      // The kernel has told this request of what earlier ones have lost, and tells nobody else.
      if slot.pointee.request.options.contains(.forceUnitAccess), completion.result == -EIO { file.noteLoss(EIO) }
      end(index, errno: -completion.result)
    case .read, .write:
      moved(index, completion.result)
    default:
      end(index, errno: 0)
    }
  }

  /// So much of a read or write has been done.
  private func moved(_ index: UInt16, _ result: Int32) {
    let slot = slots + Int(index)
    let total = Int(slot.pointee.request.blockCount) * Int(geometry.blockByteCount)
    let count = Int(result)
    if count == 0 {
      // The file has become shorter underneath.
      end(index, errno: EIO)
    } else if slot.pointee.doneByteCount + count >= total {
      end(index, errno: 0)
    } else {
      advance(index, by: count)
      begin(index)
    }
  }

  private func advance(_ index: UInt16, by byteCount: Int) {
    let slot = slots + Int(index)
    slot.pointee.doneByteCount += byteCount
    var left = byteCount
    while left > 0, slot.pointee.firstVector < slot.pointee.vectorCount {
      let vector = slot.pointee.vectors + slot.pointee.firstVector
      let count = vector.pointee.count
      if count <= left {
        left -= count
        slot.pointee.firstVector += 1
      } else {
        vector.pointee = IOVector(base: vector.pointee.base.map { $0 + left }, count: count - left)
        left = 0
      }
    }
  }

  private func end(_ index: UInt16, errno code: Int32) {
    let slot = slots + Int(index)
    guard slot.pointee.isUsed else { return }
    slot.pointee.isUsed = false
    freeSlots.append(index)
    let request = slot.pointee.request
    finish(
      BlockCompletion(
        token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
        blockCount: request.blockCount, outcome: code == 0 ? .success : .systemError,
        status: StatusField(rawValue: UInt16(clamping: code))))
    if isClosed { didClose() }
  }

  override func didClose() {
    guard !isRetired, freeSlots.count == queueDepth else { return }
    isRetired = true
    retire()
  }
}
