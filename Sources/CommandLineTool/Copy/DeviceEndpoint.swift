import BlockDevice

/// A block device as an end of a copy.
final class DeviceEndpoint: CopyEndpoint {
  let device: any BlockDevice
  let name: String
  let alignment: Int
  let size: UInt64

  init(_ device: any BlockDevice, name: String? = nil) {
    self.device = device
    self.name = name ?? device.name
    alignment = Int(device.geometry.blockByteCount)
    size = device.geometry.byteCount
  }

  /// Whether both are the same namespace, however they are reached.
  func isSameNamespace(as other: DeviceEndpoint) -> Bool {
    guard let mine = device as? NVMeBlockDevice, let theirs = other.device as? NVMeBlockDevice else { return false }
    return mine.controller.configuration.subsystemNQN == theirs.controller.configuration.subsystemNQN
      && mine.namespace.hasSameIdentity(as: theirs.namespace)
  }

  var byteCount: UInt64? { size }
  var capacity: UInt64? { size }
  var isSequential: Bool { false }

  func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) async throws(CopyFault) -> Int {
    do throws(BlockError) {
      try await device.read(at: offset / UInt64(alignment), into: buffer)
    } catch { throw CopyFault(error) }
    return buffer.count
  }

  func write(at offset: UInt64, from buffer: UnsafeRawBufferPointer) async throws(CopyFault) {
    do throws(BlockError) {
      try await device.write(at: offset / UInt64(alignment), from: buffer)
    } catch { throw CopyFault(error) }
  }

  func writeZeroes(at offset: UInt64, byteCount: Int) async throws(CopyFault) {
    do throws(BlockError) {
      guard device.capabilities.contains(.writeZeroes) else {
        let zeroes = CopyBuffer(byteCount: byteCount)
        try await device.write(at: offset / UInt64(alignment), from: UnsafeRawBufferPointer(zeroes.bytes))
        return
      }
      try await device.writeZeroes(at: offset / UInt64(alignment), blockCount: UInt32(byteCount / alignment))
    } catch { throw CopyFault(error) }
  }

  func flush() async throws(CopyFault) {
    do throws(BlockError) { try await device.flush() } catch { throw CopyFault(error) }
  }

  func place(_ range: Range<UInt64>) -> String {
    let first = range.lowerBound / UInt64(alignment)
    return "blocks \(first)…\(max(first, (range.upperBound - 1) / UInt64(alignment)))"
  }
}
