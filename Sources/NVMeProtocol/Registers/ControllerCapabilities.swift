/// CAP (NVMe Base 2.1, section 3.1.4.1, figure 36).
public struct ControllerCapabilities: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt64
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// - Parameters:
  ///   - maximumQueueEntries: 2 to 65,536. - timeoutMilliseconds: rounded up to 500 ms, at most 127,500.
  ///   - commandSets: CSS, bit 0 NVM, bit 6 I/O Command Sets, bit 7 none.
  public init(
    maximumQueueEntries: Int, timeoutMilliseconds: Int, commandSets: UInt8 = 1, contiguousQueuesRequired: Bool = true,
    minimumPageSizeExponent: UInt8 = 0, maximumPageSizeExponent: UInt8 = 0
  ) {
    let entries = UInt64(min(max(maximumQueueEntries, 2), 65536) - 1)
    let timeout = UInt64(min(max((timeoutMilliseconds + 499) / 500, 0), 255))
    rawValue = entries | (contiguousQueuesRequired ? 1 << 16 : 0) | timeout << 24
    rawValue |= UInt64(commandSets) << 37
    rawValue |= UInt64(minimumPageSizeExponent & 0xF) << 48 | UInt64(maximumPageSizeExponent & 0xF) << 52
  }

  /// MQES + 1: entries in the largest I/O queue, 1 to 65,536.
  public var maximumQueueEntries: Int { Int(rawValue & 0xFFFF) + 1 }
  /// CQR
  public var contiguousQueuesRequired: Bool { rawValue & 1 << 16 != 0 }
  /// AMS
  public var arbitrationMechanisms: UInt8 { UInt8(rawValue >> 17 & 0b11) }
  /// TO: the longest the controller may take to become ready, or no longer ready.
  public var timeoutMilliseconds: Int { Int(rawValue >> 24 & 0xFF) * 500 }
  /// DSTRD as bytes.
  public var doorbellStrideBytes: Int { 4 << Int(rawValue >> 32 & 0xF) }
  /// NSSRS
  public var subsystemResetSupported: Bool { rawValue & 1 << 36 != 0 }
  /// CSS: bit 0 NVM, bit 6 I/O Command Sets (CC.CSS 110b), bit 7 no I/O command set.
  public var commandSets: UInt8 { UInt8(rawValue >> 37 & 0xFF) }
  public var supportsNVMCommandSet: Bool { commandSets & 1 != 0 }
  public var supportsIOCommandSets: Bool { commandSets & 1 << 6 != 0 }
  public var supportsNoIOCommandSet: Bool { commandSets & 1 << 7 != 0 }
  /// BPS
  public var bootPartitionSupported: Bool { rawValue & 1 << 45 != 0 }
  /// CPS
  public var powerScope: UInt8 { UInt8(rawValue >> 46 & 0b11) }
  /// MPSMIN as bytes; MDTS counts in these.
  public var minimumPageBytes: Int { 4096 << Int(rawValue >> 48 & 0xF) }
  /// MPSMAX as bytes.
  public var maximumPageBytes: Int { 4096 << Int(rawValue >> 52 & 0xF) }
  /// PMRS
  public var persistentMemoryRegionSupported: Bool { rawValue & 1 << 56 != 0 }
  /// CMBS
  public var controllerMemoryBufferSupported: Bool { rawValue & 1 << 57 != 0 }
  /// NSSS
  public var subsystemShutdownSupported: Bool { rawValue & 1 << 58 != 0 }
  /// CRMS: bit 0 controller ready with media, bit 1 controller ready independent of media.
  public var readyModes: UInt8 { UInt8(rawValue >> 59 & 0b11) }
}
