internal import Glibc
internal import NVMeProtocol
internal import RingReactor

/// The channel of a ``FileBlockDevice``: one ring operation a request, going on where the kernel stopped short.
final class FileChannel: BlockChannel {
  private struct Slot {
    var request: BlockRequest
    var doneByteCount: Int
    /// What is left to be moved; kept until the request's end, because the kernel reads it.
    var vectors: [IOVector]
  }

  private static let operation: UInt8 = 1
  /// The kernel takes no more vectors at once (UIO_MAXIOV).
  private static let maximumVectorCount = 1024

  private let device: FileBlockDevice
  private var slots: [Slot?]
  private var freeSlots: [UInt16]
  private var isRetired = false

  init(reactor: Reactor, queueDepth: Int, device: FileBlockDevice) {
    self.device = device
    slots = Array(repeating: nil, count: queueDepth)
    freeSlots = (0..<UInt16(queueDepth)).reversed()
    super.init(reactor: reactor, queueDepth: queueDepth)
  }

  override var geometry: BlockGeometry { device.geometry }
  override var capabilities: BlockCapabilities { device.capabilities }

  override func start(_ request: BlockRequest) {
    guard let index = freeSlots.popLast() else { preconditionFailure("more requests than the channel is deep") }
    var vectors: [IOVector] = []
    if request.operation.hasData { request.forEachPiece { vectors.append(IOVector(base: $0, count: $1)) } }
    slots[Int(index)] = Slot(request: request, doneByteCount: 0, vectors: vectors)
    begin(index)
  }

  private func begin(_ index: UInt16) {
    guard let slot = slots[Int(index)] else { return }
    let request = slot.request
    let blockByteCount = UInt64(geometry.blockByteCount)
    let offset = request.logicalBlockAddress * blockByteCount + UInt64(slot.doneByteCount)
    switch request.operation {
    case .read, .write:
      slot.vectors.withUnsafeBytes { bytes in
        // The array's storage is the slot's alone and does not move until the request ends.
        let count = min(slot.vectors.count, Self.maximumVectorCount)
        if request.operation == .read {
          device.file.read(
            vectors: bytes.baseAddress!, count: count, offset: offset, source: self, operation: Self.operation,
            tag: index)
        } else {
          device.file.write(
            vectors: bytes.baseAddress!, count: count, offset: offset,
            isSynchronous: request.options.contains(.forceUnitAccess), source: self, operation: Self.operation,
            tag: index)
        }
      }
    case .flush:
      device.file.synchronize(source: self, operation: Self.operation, tag: index)
    case .discard, .writeZeroes:
      device.file.zero(
        offset: offset, byteCount: UInt64(request.blockCount) * blockByteCount,
        deallocate: request.operation == .discard, source: self, operation: Self.operation, tag: index)
    case .compare, .verify:
      // Not among the capabilities, hence refused before.
      end(index, errno: EOPNOTSUPP)
    }
  }

  override func completed(_ completion: RingCompletion) {
    guard let slot = slots[Int(completion.tag)] else { return }
    let index = completion.tag
    if completion.result < 0 {
      end(index, errno: -completion.result)
      return
    }
    guard slot.request.operation == .read || slot.request.operation == .write else {
      end(index, errno: 0)
      return
    }
    let total = Int(slot.request.blockCount) * Int(geometry.blockByteCount)
    let count = Int(completion.result)
    if count == 0 {
      // The file has become shorter underneath.
      end(index, errno: EIO)
    } else if slot.doneByteCount + count >= total {
      end(index, errno: 0)
    } else {
      advance(index, by: count)
      begin(index)
    }
  }

  private func advance(_ index: UInt16, by byteCount: Int) {
    guard var slot = slots[Int(index)] else { return }
    slots[Int(index)] = nil
    slot.doneByteCount += byteCount
    var left = byteCount
    while left > 0, let first = slot.vectors.first {
      if first.count <= left {
        left -= first.count
        slot.vectors.removeFirst()
      } else {
        slot.vectors[0] = IOVector(base: first.base.map { $0 + left }, count: first.count - left)
        left = 0
      }
    }
    slots[Int(index)] = slot
  }

  private func end(_ index: UInt16, errno code: Int32) {
    guard let slot = slots[Int(index)] else { return }
    slots[Int(index)] = nil
    freeSlots.append(index)
    finish(
      BlockCompletion(
        token: slot.request.token, operation: slot.request.operation,
        logicalBlockAddress: slot.request.logicalBlockAddress, blockCount: slot.request.blockCount,
        outcome: code == 0 ? .success : .systemError, status: StatusField(rawValue: UInt16(clamping: code))))
    if isClosed { didClose() }
  }

  override func didClose() {
    guard !isRetired, freeSlots.count == queueDepth else { return }
    isRetired = true
    retire()
  }
}
