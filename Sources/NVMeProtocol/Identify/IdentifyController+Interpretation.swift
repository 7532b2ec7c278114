extension IdentifyController {
  /// CNTRLTYPE
  public enum ControllerType: UInt8, Sendable {
    /// Controllers older than NVMe 1.4 do not say.
    case notReported = 0
    case io = 1
    case discovery = 2
    case administrative = 3
  }

  /// Nil for reserved values.
  public var kind: ControllerType? { ControllerType(rawValue: controllerType) }

  /// MDTS in bytes; nil: no limit, or one that no 64-bit length can reach.
  /// - Parameter minimumPageBytes: of CAP.MPSMIN.
  public func maximumDataTransferBytes(minimumPageBytes: Int) -> Int? {
    guard maximumDataTransferSize != 0, maximumDataTransferSize < 40 else { return nil }
    let (bytes, overflow) = minimumPageBytes.multipliedReportingOverflow(by: 1 << Int(maximumDataTransferSize))
    return overflow ? nil : bytes
  }

  /// Data that fits an I/O queue's command capsule behind the 64-byte entry: 0 if IOCCSZ is too small to say.
  public var maximumInCapsuleDataBytes: Int { max(0, Int(ioCommandCapsuleSize) * 16 - 64) }

  /// SQES: entries of 64 bytes (2 to the power of 6) are between the smallest and the largest size that it takes.
  public var takes64ByteSubmissionQueueEntries: Bool {
    submissionQueueEntrySize & 0xF <= 6 && submissionQueueEntrySize >> 4 >= 6
  }
  /// CQES: entries of 16 bytes (2 to the power of 4) are between the smallest and the largest size that it writes.
  public var writes16ByteCompletionQueueEntries: Bool {
    completionQueueEntrySize & 0xF <= 4 && completionQueueEntrySize >> 4 >= 4
  }
  /// SGLS bits 1:0: I/O commands may have SGLs; whether data must come in dwords is told apart there, too.
  public var supportsSGLs: Bool { sglSupport & 0b11 == 0b01 || sglSupport & 0b11 == 0b10 }

  /// CMIC bit 3: ANA reporting is supported.
  public var supportsANAReporting: Bool { multipathCapabilities & 1 << 3 != 0 }
  /// CMIC bit 1: the subsystem may have more than one controller.
  public var supportsMultipleControllers: Bool { multipathCapabilities & 1 << 1 != 0 }
  /// VWC bit 0: there is a volatile write cache, so Flush matters.
  public var hasVolatileWriteCache: Bool { volatileWriteCache & 1 != 0 }
  /// VWC bits 2:1 = 11b: Flush with NSID FFFFFFFFh flushes all namespaces.
  public var flushesAllNamespaces: Bool { volatileWriteCache >> 1 & 0b11 == 0b11 }
  /// LPA bit 2: Get Log Page takes an offset and an extended length.
  public var supportsExtendedLogPageData: Bool { logPageAttributes & 1 << 2 != 0 }
  /// CTRATT bit 6: traffic counts as keep alive.
  public var supportsTrafficBasedKeepAlive: Bool { controllerAttributes & 1 << 6 != 0 }
  /// CTRATT bit 0: host identifiers may have 128 bits.
  public var supports128BitHostIdentifier: Bool { controllerAttributes & 1 != 0 }
  /// OFCS bit 0: single I/O queues can be disconnected.
  public var supportsDisconnect: Bool { optionalFabricsCommands & 1 != 0 }
  /// FUSES bit 0: Compare and Write.
  public var supportsFusedCompareAndWrite: Bool { fusedOperations & 1 != 0 }
  /// KAS in milliseconds.
  public var keepAliveGranularityMilliseconds: Int { Int(keepAliveSupport) * 100 }

  /// What a status's CRD asks to wait before the retry, in milliseconds.
  /// - Parameter code: CRD: 0 none, 1 to 3 index CRDT1 to CRDT3.
  public func commandRetryDelayMilliseconds(code: UInt8) -> Int {
    guard code > 0, Int(code) <= commandRetryDelayTimes.count else { return 0 }
    return Int(commandRetryDelayTimes[Int(code) - 1]) * 100
  }
}
