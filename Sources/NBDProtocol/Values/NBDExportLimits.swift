/// What requests to an export are held against.
public struct NBDExportLimits: Sendable, Hashable {
  /// A multiple of the minimum block size.
  public var byteCount: UInt64
  /// A power of two, 1...65536.
  public var minimumBlockByteCount: UInt32
  /// A power of two, at least 512 and the minimum.
  public var preferredBlockByteCount: UInt32
  /// At least the preferred block size.
  public var maximumPayloadByteCount: UInt32
  /// Without those that depend on what has been negotiated.
  public var flags: NBDTransmissionFlags

  public init(
    byteCount: UInt64, minimumBlockByteCount: UInt32, preferredBlockByteCount: UInt32,
    maximumPayloadByteCount: UInt32, flags: NBDTransmissionFlags
  ) {
    self.byteCount = byteCount
    self.minimumBlockByteCount = minimumBlockByteCount
    self.preferredBlockByteCount = preferredBlockByteCount
    self.maximumPayloadByteCount = maximumPayloadByteCount
    self.flags = flags
  }

  /// The flags as told to a client that has negotiated `style`: DF only makes sense where replies have chunks.
  public func flags(_ style: NBDReplyStyle) -> NBDTransmissionFlags {
    var flags = flags.union(.hasFlags)
    if style != .simple { flags.insert(.sendDoNotFragment) }
    return flags
  }
}
