/// ONCS: which optional I/O commands and features a controller has (NVMe Base 2.1, figure 312, bytes 521:520).
public struct OptionalIOCommands: OptionSet, Hashable, Sendable {
  public var rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static let compare = OptionalIOCommands(rawValue: 1 << 0)
  public static let writeUncorrectable = OptionalIOCommands(rawValue: 1 << 1)
  public static let datasetManagement = OptionalIOCommands(rawValue: 1 << 2)
  public static let writeZeroes = OptionalIOCommands(rawValue: 1 << 3)
  public static let saveAndSelectFields = OptionalIOCommands(rawValue: 1 << 4)
  public static let reservations = OptionalIOCommands(rawValue: 1 << 5)
  public static let timestamp = OptionalIOCommands(rawValue: 1 << 6)
  public static let verify = OptionalIOCommands(rawValue: 1 << 7)
  public static let copy = OptionalIOCommands(rawValue: 1 << 8)
  public static let copySingleAtomicity = OptionalIOCommands(rawValue: 1 << 9)
  public static let allFastCopy = OptionalIOCommands(rawValue: 1 << 10)
  public static let maximumWriteZeroesWithDeallocate = OptionalIOCommands(rawValue: 1 << 11)
  public static let namespaceZeroes = OptionalIOCommands(rawValue: 1 << 12)
}
