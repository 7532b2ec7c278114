/// A namespace to add to a subsystem.
public struct NamespaceConfiguration: Sendable {
  /// Where the blocks are.
  public enum Backing: Sendable, Hashable {
    /// Anonymous memory, resident as it is written. Data is gone with the namespace.
    case memory(byteCount: UInt64)
    /// A file, used at its length. Where `byteCount` is given, that has to be its length; if it is not there, or empty,
    /// it is made with it.
    case file(path: String, byteCount: UInt64? = nil)
    /// Reads as zeroes, swallows writes; for benchmarks.
    case null(byteCount: UInt64)
  }

  public var backing: Backing
  /// Bytes of a logical block: a power of two, 512...65536.
  public var blockByteCount: Int
  /// ANAGRPID, 1...32.
  public var accessGroup: UInt32 = 1
  /// 16 bytes each, or 8; nil derives them from the subsystem's NQN and the namespace identifier.
  public var uuid: [UInt8]?
  public var nguid: [UInt8]?
  /// 8 bytes; nil leaves EUI64 out.
  public var eui64: [UInt8]?
  /// Writes are refused (Namespace is Write Protected).
  public var isReadOnly = false
  /// A memory or null namespace may later be resized up to so many bytes; nil: twice its size or 1 GiB more, whichever
  /// is more. It costs address space only.
  public var maximumByteCount: UInt64?
  /// Memory is made resident when the namespace is added, which takes a second or so a gigabyte on the target's thread:
  /// for benchmarks of writes, which would otherwise measure the kernel clearing pages.
  public var isPopulated = false
  /// NOIOB: commands that cross a multiple of so many blocks are split by good hosts; 0: not reported.
  public var optimalBoundaryBlocks: UInt16 = 0

  public init(backing: Backing, blockByteCount: Int = 512) {
    self.backing = backing
    self.blockByteCount = blockByteCount
  }

  /// Anonymous memory of `byteCount` bytes.
  public static func memory(byteCount: UInt64, blockByteCount: Int = 512) -> NamespaceConfiguration {
    NamespaceConfiguration(backing: .memory(byteCount: byteCount), blockByteCount: blockByteCount)
  }

  /// Zeroes of `byteCount` bytes.
  public static func null(byteCount: UInt64, blockByteCount: Int = 512) -> NamespaceConfiguration {
    NamespaceConfiguration(backing: .null(byteCount: byteCount), blockByteCount: blockByteCount)
  }
}
