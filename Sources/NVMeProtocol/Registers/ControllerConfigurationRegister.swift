/// CC (NVMe Base 2.1, section 3.1.4.5, figure 41). "Register" tells it from a host's own configuration of a controller.
public struct ControllerConfigurationRegister: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// SHN
  public enum ShutdownNotification: UInt8, Sendable {
    case none = 0
    case normal = 1
    case abrupt = 2
    case reserved = 3
  }

  /// CSS
  public enum CommandSetSelection: UInt8, Sendable {
    case nvm = 0b000
    case allSupported = 0b110
    case adminOnly = 0b111
  }

  /// Entry sizes are exponents of two; fabrics want 6 (64 bytes) and 4 (16 bytes). `pageBytes` is a power of two from 4096
  /// to 128 MiB, within CAP.MPSMIN and CAP.MPSMAX.
  public init(
    enable: Bool, commandSet: CommandSetSelection = .nvm, pageBytes: Int = 4096, submissionEntryExponent: UInt8 = 6,
    completionEntryExponent: UInt8 = 4, shutdown: ShutdownNotification = .none
  ) {
    rawValue =
      (enable ? 1 : 0) | UInt32(commandSet.rawValue) << 4
      | UInt32(truncatingIfNeeded: (pageBytes >> 12).trailingZeroBitCount & 0xF) << 7 | UInt32(shutdown.rawValue) << 14
      | UInt32(submissionEntryExponent & 0xF) << 16 | UInt32(completionEntryExponent & 0xF) << 20
  }

  /// EN
  public var enable: Bool {
    get { rawValue & 1 != 0 }
    set { rawValue = rawValue & ~1 | (newValue ? 1 : 0) }
  }
  /// CSS as on the wire.
  public var commandSetSelection: UInt8 { UInt8(rawValue >> 4 & 0b111) }
  /// MPS as bytes.
  public var pageBytes: Int { 4096 << Int(rawValue >> 7 & 0xF) }
  /// AMS
  public var arbitrationMechanism: UInt8 { UInt8(rawValue >> 11 & 0b111) }
  /// SHN
  public var shutdownNotification: ShutdownNotification {
    get { ShutdownNotification(rawValue: UInt8(rawValue >> 14 & 0b11)) ?? .reserved }
    set { rawValue = rawValue & ~(0b11 << 14) | UInt32(newValue.rawValue) << 14 }
  }
  /// IOSQES
  public var submissionEntryExponent: UInt8 { UInt8(rawValue >> 16 & 0xF) }
  /// IOCQES
  public var completionEntryExponent: UInt8 { UInt8(rawValue >> 20 & 0xF) }
}
