/// Which way a command's data goes (NVMe Base 2.1, Figure 91, opcode bits 01:00).
@frozen public enum DataDirection: UInt8, Sendable {
  case none
  /// The controller reads the host's memory: a write.
  case hostToController
  /// The controller writes the host's memory: a read.
  case controllerToHost
}
