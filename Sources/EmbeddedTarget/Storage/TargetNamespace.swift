import Glibc
internal import RingReactor

/// A namespace of a subsystem: its storage and its names.
///
/// Not freed at once when it is removed: reads may be on their way out of its memory (`TargetCore.retire`).
final class TargetNamespace {
  let identifier: UInt32
  let configuration: NamespaceConfiguration
  let blockShift: UInt8
  let uuid: [UInt8]
  let nguid: [UInt8]
  private(set) var blockCount: UInt64
  /// Bytes that are there, but less than a block.
  let unservedByteCount: UInt64
  var accessGroup: UInt32
  private var region: MemoryRegion?
  private var file: RingFile?
  private let capacityByteCount: UInt64

  init(identifier: UInt32, subsystemNQN: String, configuration: NamespaceConfiguration) throws(TargetError) {
    self.identifier = identifier
    self.configuration = configuration
    let blockByteCount = configuration.blockByteCount
    guard (512...65536).contains(blockByteCount), blockByteCount & (blockByteCount - 1) == 0 else {
      throw TargetError("a block is a power of two of 512...65536 bytes, not \(blockByteCount)")
    }
    blockShift = UInt8(blockByteCount.trailingZeroBitCount)
    guard (1...TargetPort.maximumAccessGroup).contains(configuration.accessGroup) else {
      throw TargetError(
        "an ANA group is 1...\(TargetPort.maximumAccessGroup), not \(configuration.accessGroup)")
    }
    accessGroup = configuration.accessGroup
    let derived = Self.derivedIdentifier(subsystemNQN: subsystemNQN, identifier: identifier)
    uuid = configuration.uuid ?? derived
    nguid = configuration.nguid ?? derived
    guard uuid.count == 16, nguid.count == 16, configuration.eui64?.count ?? 8 == 8 else {
      throw TargetError("a UUID and an NGUID have 16 bytes, an EUI64 has 8")
    }
    let size: UInt64
    switch configuration.backing {
    case .memory(let byteCount):
      size = byteCount
      let growth = byteCount.addingReportingOverflow(max(byteCount, 1 << 30))
      capacityByteCount = max(byteCount, configuration.maximumByteCount ?? (growth.overflow ? byteCount : growth.0))
      guard byteCount > 0, capacityByteCount < 1 << 46 else {
        throw TargetError(
          "a memory namespace has at least a byte and, with its room to grow, less than 64 TiB, "
            + "not \(byteCount) and \(capacityByteCount) bytes")
      }
      do {
        let region = try MemoryRegion(byteCount: (Int(capacityByteCount) + 4095) & ~4095)
        if configuration.isPopulated { region.populate(byteCount: Int(byteCount)) }
        self.region = region
      } catch {
        throw TargetError("namespace \(identifier): \(error)")
      }
    case .null(let byteCount):
      size = byteCount
      capacityByteCount = configuration.maximumByteCount ?? .max
    case .file(let path, let byteCount):
      capacityByteCount = .max
      do {
        let file = try RingFile(path: path, writable: !configuration.isReadOnly, creatingByteCount: byteCount)
        self.file = file
        size = file.byteCount
      } catch {
        throw TargetError("namespace \(identifier): \(error)", isSystemFailure: true)
      }
    }
    blockCount = size >> blockShift
    unservedByteCount = size % UInt64(blockByteCount)
    guard blockCount > 0 else {
      throw TargetError("namespace \(identifier) has \(size) bytes, and is smaller than a block of \(blockByteCount)")
    }
  }

  var byteCount: UInt64 { blockCount << blockShift }

  var view: NamespaceView {
    var view = NamespaceView()
    // Never another's: a namespace is not freed while a command that was begun on it is under way.
    view.identity = UInt(bitPattern: ObjectIdentifier(self))
    view.isReadOnly = configuration.isReadOnly
    view.blockShift = blockShift
    view.accessGroup = UInt16(accessGroup)
    view.blockCount = blockCount
    switch configuration.backing {
    case .memory:
      view.kind = .memory
      view.base = region?.base
      view.region = region.map { .passUnretained($0) }
    case .null:
      view.kind = .null
    case .file:
      view.kind = .file
      view.file = file.map { .passUnretained($0) }
    }
    return view
  }

  /// Changes the size; what is cut off is gone, what is added reads as zeroes. A file is not changed on disk unless it
  /// has to grow.
  func resize(byteCount: UInt64) throws(TargetError) {
    let newCount = byteCount >> blockShift
    guard newCount > 0 else { throw TargetError("namespace \(identifier) would be smaller than a block") }
    guard byteCount <= capacityByteCount else {
      throw TargetError(
        "namespace \(identifier) can grow to \(capacityByteCount) bytes at most; set maximumByteCount when adding it")
    }
    if let region {
      let old = Int(self.byteCount)
      if Int(byteCount) < old { region.zero(offset: Int(byteCount), byteCount: old - Int(byteCount)) }
    }
    if let file {
      do { try file.grow(to: byteCount) } catch {
        throw TargetError("namespace \(identifier): \(error)")
      }
    }
    blockCount = newCount
  }

  /// 16 bytes that are the same each time for the same name: a UUID of version 8 by FNV-1a.
  private static func derivedIdentifier(subsystemNQN: String, identifier: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    for seed: UInt64 in [0xCBF2_9CE4_8422_2325, 0x8422_2325_CBF2_9CE4] {
      var hash = seed
      for byte in subsystemNQN.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      for shift in 0..<4 { hash = (hash ^ UInt64(identifier >> (8 * shift) & 0xFF)) &* 0x100_0000_01B3 }
      for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: hash >> (8 * shift))) }
    }
    bytes[6] = bytes[6] & 0x0F | 0x80
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes
  }
}
