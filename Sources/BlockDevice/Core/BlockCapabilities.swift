/// What a block device can do beyond reading.
@frozen public struct BlockCapabilities: OptionSet, Sendable, Hashable {
  public var rawValue: UInt16
  @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

  @inlinable public static var write: BlockCapabilities { BlockCapabilities(rawValue: 1 << 0) }
  /// There is a volatile write cache: what is not flushed, or written with FUA, can be lost.
  @inlinable public static var volatileWriteCache: BlockCapabilities { BlockCapabilities(rawValue: 1 << 1) }
  @inlinable public static var discard: BlockCapabilities { BlockCapabilities(rawValue: 1 << 2) }
  @inlinable public static var writeZeroes: BlockCapabilities { BlockCapabilities(rawValue: 1 << 3) }
  @inlinable public static var compare: BlockCapabilities { BlockCapabilities(rawValue: 1 << 4) }
  @inlinable public static var verify: BlockCapabilities { BlockCapabilities(rawValue: 1 << 5) }
  @inlinable public static var forceUnitAccess: BlockCapabilities { BlockCapabilities(rawValue: 1 << 6) }
}
