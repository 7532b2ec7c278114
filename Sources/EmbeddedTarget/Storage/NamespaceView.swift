internal import RingReactor

/// What an I/O command needs to know of a namespace: plain data, one table look-up away, no reference counting.
struct NamespaceView {
  enum Kind: UInt8 {
    case none
    case memory
    case null
    case file
  }

  var kind = Kind.none
  /// Which namespace it is: another one may have its identifier later. 0: none.
  var identity: UInt = 0
  var isReadOnly = false
  /// Bytes of a block as a power of two.
  var blockShift: UInt8 = 9
  var accessGroup: UInt16 = 0
  var blockCount: UInt64 = 0
  /// First byte of a memory namespace.
  var base: UnsafeMutableRawPointer?
  /// Kept alive by the namespace, and that by the target as long as it is in use.
  var region: Unmanaged<MemoryRegion>?
  var file: Unmanaged<RingFile>?
}
