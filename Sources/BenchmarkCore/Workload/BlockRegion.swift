/// The part of a device that a job touches, in bytes.
@frozen public struct BlockRegion: Sendable, Equatable {
  public var start: UInt64
  public var byteCount: UInt64

  public init(start: UInt64, byteCount: UInt64) {
    self.start = start
    self.byteCount = byteCount
  }
}
