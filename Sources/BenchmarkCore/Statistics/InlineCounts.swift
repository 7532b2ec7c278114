/// Seven counters stored in place, so that copying them allocates nothing.
public struct InlineCounts: Sendable, Equatable {
  private var storage: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0)

  public init() {}

  public subscript(index: Int) -> UInt64 {
    get {
      precondition(index >= 0 && index < 7)
      return withUnsafeBytes(of: storage) { $0.load(fromByteOffset: index * 8, as: UInt64.self) }
    }
    set {
      precondition(index >= 0 && index < 7)
      withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: newValue, toByteOffset: index * 8, as: UInt64.self) }
    }
  }

  public static func == (first: InlineCounts, second: InlineCounts) -> Bool {
    (0..<7).allSatisfy { first[$0] == second[$0] }
  }
}
