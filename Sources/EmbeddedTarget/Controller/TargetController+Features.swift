internal import NVMeProtocol

extension TargetController {
  /// Get Features without data: the value for dword 0, or nil for a feature this controller has not
  /// (NVMe Base 2.1, section 5.1.11).
  func feature(_ command: SubmissionQueueEntry) -> (status: StatusField, value: UInt32) {
    let identifier = FeatureIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10))
    let select = command.cdw10 >> 8 & 0b111
    guard select <= 3 else { return (.invalidFieldInCommand.withDoNotRetry, 0) }
    guard isSupported(identifier) else { return (.invalidFieldInCommand.withDoNotRetry, 0) }
    // Supported capabilities: changeable or not; neither saveable nor by namespace.
    if select == 3 { return (.success, isChangeable(identifier) ? 1 << 2 : 0) }
    switch identifier {
    case .numberOfQueues:
      let queues = UInt32(grantedIOQueues - 1)
      return (.success, queues | queues << 16)
    case .asynchronousEventConfiguration: return (.success, select == 0 ? eventConfiguration : 0)
    case .keepAliveTimer: return (.success, keepAliveMilliseconds)
    default: return (.success, features[identifier.rawValue] ?? 0)
    }
  }

  /// Set Features without data: the status, and the value for dword 0 (NVMe Base 2.1, section 5.1.25).
  func setFeature(_ command: SubmissionQueueEntry) -> (status: StatusField, value: UInt32) {
    let identifier = FeatureIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10))
    guard isSupported(identifier) else { return (.invalidFieldInCommand.withDoNotRetry, 0) }
    guard command.cdw10 & 1 << 31 == 0 else { return (.featureIdentifierNotSaveable.withDoNotRetry, 0) }
    guard isChangeable(identifier) else { return (.featureNotChangeable.withDoNotRetry, 0) }
    let value = command.cdw11
    switch identifier {
    case .numberOfQueues:
      let wanted = min(value & 0xFFFF, value >> 16)
      guard value & 0xFFFF != 0xFFFF, value >> 16 != 0xFFFF else {
        return (.invalidFieldInCommand.withDoNotRetry, 0)
      }
      // Only before I/O queues exist.
      guard queues.count <= 1 else { return (.commandSequenceError.withDoNotRetry, 0) }
      grantedIOQueues = min(Int(wanted) + 1, core.maximumIOQueues)
      let granted = UInt32(grantedIOQueues - 1)
      return (.success, granted | granted << 16)
    case .asynchronousEventConfiguration:
      // SMART warnings may be asked for, too; none will come.
      guard value & ~(supportedEvents | 0xFF) == 0 else { return (.invalidFieldInCommand.withDoNotRetry, 0) }
      setEventConfiguration(value)
    case .keepAliveTimer:
      setKeepAlive(milliseconds: value)
      admin?.keepAliveChanged()
    case .powerManagement:
      guard value & 0x1F == 0 else { return (.invalidFieldInCommand.withDoNotRetry, 0) }
      features[identifier.rawValue] = value
    default:
      features[identifier.rawValue] = value
    }
    return (.success, 0)
  }

  /// The volatile write cache is the system's page cache, which writes go through whatever a host would like.
  private func isChangeable(_ identifier: FeatureIdentifier) -> Bool { identifier != .volatileWriteCache }

  private func isSupported(_ identifier: FeatureIdentifier) -> Bool {
    switch identifier {
    case .asynchronousEventConfiguration, .keepAliveTimer: true
    case .numberOfQueues: !isDiscovery
    case .volatileWriteCache: !isDiscovery
    default: !isDiscovery && features[identifier.rawValue] != nil
    }
  }
}
