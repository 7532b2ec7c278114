internal import BlockDevice

/// Rate limits in the words and units of the RPC interface.
enum RateLimitWords {
  static let bytesPerMegabyte: UInt64 = 1 << 20

  /// 0 = no limit.
  static func values(of limits: BlockRateLimits) -> [(name: String, value: UInt64)] {
    [
      ("rw_ios_per_sec", limits.operationsPerSecond), ("rw_mbytes_per_sec", limits.bytesPerSecond / bytesPerMegabyte),
      ("r_mbytes_per_sec", limits.readBytesPerSecond / bytesPerMegabyte),
      ("w_mbytes_per_sec", limits.writeBytesPerSecond / bytesPerMegabyte),
    ]
  }
}
