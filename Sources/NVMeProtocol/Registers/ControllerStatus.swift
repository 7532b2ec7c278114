/// CSTS (NVMe Base 2.1, section 3.1.4.6, figure 42).
public struct ControllerStatus: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// SHST
  public enum ShutdownStatus: UInt8, Sendable {
    case normalOperation = 0
    case occurring = 1
    case complete = 2
    case reserved = 3
  }

  public init(ready: Bool, fatal: Bool = false, shutdown: ShutdownStatus = .normalOperation) {
    rawValue = (ready ? 1 : 0) | (fatal ? 1 << 1 : 0) | UInt32(shutdown.rawValue) << 2
  }

  /// RDY
  public var ready: Bool { rawValue & 1 != 0 }
  /// CFS: the controller has failed and will answer nothing properly until it is reset.
  public var fatal: Bool { rawValue & 1 << 1 != 0 }
  /// SHST
  public var shutdown: ShutdownStatus { ShutdownStatus(rawValue: UInt8(rawValue >> 2 & 0b11)) ?? .reserved }
  /// NSSRO
  public var subsystemResetOccurred: Bool { rawValue & 1 << 4 != 0 }
  /// PP
  public var processingPaused: Bool { rawValue & 1 << 5 != 0 }
  /// ST: the shutdown is one of the whole subsystem.
  public var subsystemShutdown: Bool { rawValue & 1 << 6 != 0 }
}
