/// How a request is to be carried out.
@frozen public struct BlockOptions: OptionSet, Sendable, Hashable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Complete only when the data is on stable media (FUA). For read, write, write zeroes, compare and verify.
  @inlinable public static var forceUnitAccess: BlockOptions { BlockOptions(rawValue: 1) }
  /// Blocks stay allocated, where the device knows about that. For write zeroes.
  @inlinable public static var noHole: BlockOptions { BlockOptions(rawValue: 2) }
  /// Rather fail, with ``BlockOutcome/systemError`` and `EOPNOTSUPP`, than take as long as writing. For write zeroes.
  @inlinable public static var fastZero: BlockOptions { BlockOptions(rawValue: 4) }
}
