/// How a request is to be carried out.
@frozen public struct BlockOptions: OptionSet, Sendable, Hashable {
  public var rawValue: UInt8
  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Complete only when the data is on stable media (FUA). For read, write, write zeroes, compare and verify.
  @inlinable public static var forceUnitAccess: BlockOptions { BlockOptions(rawValue: 1) }
}
