/// CSI: an I/O command set (NVMe Base 2.1, figure 311).
public struct CommandSetIdentifier: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let nvm = CommandSetIdentifier(rawValue: 0)
  public static let keyValue = CommandSetIdentifier(rawValue: 1)
  public static let zonedNamespace = CommandSetIdentifier(rawValue: 2)
  public static let subsystemLocalMemory = CommandSetIdentifier(rawValue: 3)
  public static let computationalPrograms = CommandSetIdentifier(rawValue: 4)

  /// As the specification writes it.
  public var name: String {
    switch rawValue {
    case 0: "NVM Command Set"
    case 1: "Key Value Command Set"
    case 2: "Zoned Namespace Command Set"
    case 3: "Subsystem Local Memory Command Set"
    case 4: "Computational Programs Command Set"
    default: "I/O command set \(hexadecimal(rawValue))"
    }
  }
}
