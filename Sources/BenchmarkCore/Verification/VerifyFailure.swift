/// How a unit read back differs from what was written.
public struct VerifyFailure: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable, Equatable {
    /// No intact header: never written, or its first bytes were damaged.
    case noHeader(firstBytes: UInt64)
    /// An intact header of another place or size: the data went, or came from, elsewhere.
    case wrongPlace(foundOffset: UInt64, foundLength: UInt32)
    case otherMethod
    /// An intact unit of another job or run.
    case otherWriter
    /// An intact unit, but not the last one written: a lost or reordered write.
    case stale(expectedGeneration: UInt32, foundGeneration: UInt32)
    case checksum(method: VerifyMethod, expected: UInt64, found: UInt64)
    /// `verify=pattern`: the first byte that differs, counted from the start of the unit.
    case pattern(index: Int, expected: UInt8, found: UInt8)
  }

  public var kind: Kind
  /// Of the unit, in bytes from the start of the device.
  public var offset: UInt64
  public var byteCount: UInt32

  public var description: String {
    let place = "offset \(offset), length \(byteCount)"
    func hexadecimal(_ value: UInt64) -> String { String(value, radix: 16) }
    switch kind {
    case .noHeader(let firstBytes):
      return "verify: no valid header at \(place) (first bytes 0x\(hexadecimal(firstBytes)))"
    case .wrongPlace(let foundOffset, let foundLength):
      return "verify: \(place) holds the data of offset \(foundOffset), length \(foundLength)"
    case .otherMethod:
      return "verify: \(place) was written with another verify method"
    case .otherWriter:
      return "verify: \(place) was written by another job or in another run"
    case .stale(let expected, let found):
      return "verify: \(place) holds write \(found) of this place, expected write \(expected)"
    case .checksum(let method, let expected, let found):
      return "\(method.rawValue): verify failed at \(place): expected \(hexadecimal(expected)), "
        + "received \(hexadecimal(found))"
    case .pattern(let index, let expected, let found):
      return "pattern: verify failed at \(place), byte \(index): expected \(hexadecimal(UInt64(expected))), "
        + "received \(hexadecimal(UInt64(found)))"
    }
  }
}
