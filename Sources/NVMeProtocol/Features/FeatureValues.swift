/// Feature 07h, Number of Queues (NVMe Base 2.1, section 5.1.25): zeroes based counts in both halves.
public struct NumberOfQueues: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// - Parameters: counts, 1 to 65,535; clamped.
  public init(submissionQueues: Int, completionQueues: Int) {
    func encoded(_ count: Int) -> UInt32 { UInt32(min(max(count, 1), 65535) - 1) }
    rawValue = encoded(submissionQueues) | encoded(completionQueues) << 16
  }

  /// NSQR or NSQA + 1
  public var submissionQueues: Int { Int(rawValue & 0xFFFF) + 1 }
  /// NCQR or NCQA + 1
  public var completionQueues: Int { Int(rawValue >> 16) + 1 }
  /// Queue pairs that can be made of them.
  public var pairs: Int { min(submissionQueues, completionQueues) }
}

/// Feature 05h, Error Recovery (NVM Command Set 1.1).
public struct ErrorRecovery: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// TLER in units of 100 ms; 0: no limit.
  public var timeLimitedErrorRecovery: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
  /// DULBE
  public var deallocatedBlockErrorEnabled: Bool { rawValue & 1 << 16 != 0 }
}

/// Feature 06h, Volatile Write Cache (NVMe Base 2.1, section 5.1.25.1.4).
public struct VolatileWriteCache: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  public init(enabled: Bool) { rawValue = enabled ? 1 : 0 }

  /// WCE
  public var enabled: Bool { rawValue & 1 != 0 }
}

/// Feature 0Fh, Keep Alive Timer (NVMe Base 2.1, section 5.1.25.1.8).
public struct KeepAliveTimer: RawRepresentable, Hashable, Sendable {
  /// KATO
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// 0: the timer is off.
  public var timeoutMilliseconds: UInt32 { rawValue }
}

/// Feature 01h, Arbitration (NVMe Base 2.1, section 5.1.25.1.1).
public struct Arbitration: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// AB: an exponent of two; 7: no limit.
  public var burst: UInt8 { UInt8(rawValue & 0b111) }
  /// LPW, zeroes based
  public var lowPriorityWeight: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
  /// MPW, zeroes based
  public var mediumPriorityWeight: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 16) }
  /// HPW, zeroes based
  public var highPriorityWeight: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 24) }
}

/// Feature 04h, Temperature Threshold (NVMe Base 2.1, section 5.1.25.1.3).
public struct TemperatureThreshold: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// TMPTH, kelvins
  public var kelvin: UInt16 { UInt16(truncatingIfNeeded: rawValue) }
  /// TMPSEL
  public var sensor: UInt8 { UInt8(rawValue >> 16 & 0xF) }
  /// THSEL: 0 over, 1 under temperature threshold
  public var kind: UInt8 { UInt8(rawValue >> 20 & 0b11) }
}
