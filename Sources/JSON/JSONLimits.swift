/// What a parser takes of one value before it refuses it.
public struct JSONLimits: Sendable, Hashable {
  /// Length of the text in bytes, from 1.
  public var maximumByteCount: Int
  /// Arrays and objects within each other, from 1.
  public var maximumDepth: Int
  /// Values in all, those of members and elements included: what bounds the memory a short text can ask for.
  public var maximumValueCount: Int

  public init(maximumByteCount: Int = 16 << 20, maximumDepth: Int = 64, maximumValueCount: Int = 1 << 16) {
    self.maximumByteCount = maximumByteCount
    self.maximumDepth = maximumDepth
    self.maximumValueCount = maximumValueCount
  }
}
