/// A size or offset as the user gave it: bytes, or a percentage of the device that is known only when it is open.
public enum SizeSpecification: Sendable, Equatable {
  case bytes(UInt64)
  case percent(Double)

  /// In bytes, of a device of `capacityBytes`.
  public func bytes(of capacityBytes: UInt64) -> UInt64 {
    switch self {
    case .bytes(let bytes): bytes
    // A Double holds 53 bits: exact to the byte up to 8 PiB, and rounded down to blocks by the caller anyway.
    case .percent(let percent): percent >= 100 ? capacityBytes : UInt64(Double(capacityBytes) * percent / 100)
    }
  }
}
