/// How a job's blocks divide into units that can be checked on their own.
enum VerifyLayout {
  /// Bytes between headers: `verify_interval`, or else the smallest block of the directions in use. Every block is a
  /// multiple of it, so a block that was overwritten in part still verifies unit by unit.
  static func unit(of options: JobOptions) -> UInt32 {
    options.verifyInterval > 0 ? options.verifyInterval : options.smallestBlock
  }
}
