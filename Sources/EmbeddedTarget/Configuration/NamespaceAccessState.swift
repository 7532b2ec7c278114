/// The state of an ANA group as seen through one port (NVMe Base 2.1, section 8.1.1).
public enum NamespaceAccessState: UInt8, Sendable, CaseIterable {
  case optimized = 0x1
  case nonOptimized = 0x2
  case inaccessible = 0x3
  case persistentLoss = 0x4
  case change = 0xF
}
