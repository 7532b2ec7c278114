import BlockDevice
import JSON

/// A feature's value as `nvme get-feature` shows it.
enum FeatureReport {
  static func text(
    _ feature: FeatureIdentifier, select: SubmissionQueueEntry.FeatureSelect, value: UInt32, data: [UInt8],
    isHuman: Bool
  ) -> String {
    let kind =
      switch select {
      case .current: "Current value"
      case .default: "Default value"
      case .saved: "Saved value"
      case .supportedCapabilities: "capabilities"
      }
    var lines = [
      "get-feature:0x\(feature.rawValue.hexadecimal(digits: 2)) (\(feature.name ?? "Unknown")), "
        + "\(kind):0x\(value.hexadecimal(digits: 8))"
    ]
    if isHuman {
      let details = select == .supportedCapabilities ? capabilities(value) : details(feature, value: value, data: data)
      lines += details.map { "\t\($0.name): \($0.text)" }
    }
    if !data.isEmpty { lines.append(Hexdump.text(data)) }
    return lines.joined(separator: "\n")
  }

  static func json(
    _ feature: FeatureIdentifier, select: SubmissionQueueEntry.FeatureSelect, value: UInt32, data: [UInt8]
  ) -> JSONValue {
    let details = select == .supportedCapabilities ? capabilities(value) : details(feature, value: value, data: data)
    var members: JSONObject = [
      "fid": .integer(feature.rawValue),
      "feature": .string(feature.name ?? "Unknown"),
      "sel": .integer(select.rawValue),
      "value": .integer(value),
      "details": .object(JSONObject(details.map { ($0.name, .string($0.text)) })),
    ]
    if !data.isEmpty { members["data"] = .string(data.map { $0.hexadecimal(digits: 2) }.joined()) }
    return .object(members)
  }

  struct Detail: Hashable, Sendable {
    var name: String
    var text: String
    init(_ name: String, _ text: some CustomStringConvertible) {
      self.name = name
      self.text = text.description
    }
  }

  /// SEL = 3 (NVMe Base 2.1, figure 195).
  private static func capabilities(_ value: UInt32) -> [Detail] {
    [
      Detail("Feature is changeable", value & 4 != 0 ? "yes" : "no"),
      Detail("Feature is namespace specific", value & 2 != 0 ? "yes" : "no"),
      Detail("Feature is saveable", value & 1 != 0 ? "yes" : "no"),
    ]
  }

  /// What the value says, for the features that matter over fabrics.
  static func details(_ feature: FeatureIdentifier, value: UInt32, data: [UInt8]) -> [Detail] {
    switch feature {
    case .arbitration:
      let arbitration = Arbitration(rawValue: value)
      return [
        Detail("High Priority Weight (HPW)", Int(arbitration.highPriorityWeight) + 1),
        Detail("Medium Priority Weight (MPW)", Int(arbitration.mediumPriorityWeight) + 1),
        Detail("Low Priority Weight (LPW)", Int(arbitration.lowPriorityWeight) + 1),
        Detail("Arbitration Burst (AB)", arbitration.burst == 7 ? "no limit" : String(1 << Int(arbitration.burst))),
      ]
    case .powerManagement:
      return [
        Detail("Workload Hint (WH)", value >> 5 & 0b111), Detail("Power State (PS)", value & 0b11111),
      ]
    case .temperatureThreshold:
      let threshold = TemperatureThreshold(rawValue: value)
      return [
        Detail("Threshold Type Select (THSEL)", threshold.kind == 0 ? "over temperature" : "under temperature"),
        Detail(
          "Threshold Temperature Select (TMPSEL)", threshold.sensor == 0 ? "composite" : "sensor \(threshold.sensor)"),
        Detail("Temperature Threshold (TMPTH)", SMARTReport.temperature(threshold.kelvin)),
      ]
    case .errorRecovery:
      let recovery = ErrorRecovery(rawValue: value)
      return [
        Detail(
          "Deallocated or Unwritten Logical Block Error Enable (DULBE)",
          recovery.deallocatedBlockErrorEnabled ? "enabled" : "disabled"),
        Detail(
          "Time Limited Error Recovery (TLER)",
          recovery.timeLimitedErrorRecovery == 0 ? "no limit" : "\(Int(recovery.timeLimitedErrorRecovery) * 100) ms"),
      ]
    case .volatileWriteCache:
      return [
        Detail(
          "Volatile Write Cache Enable (WCE)", VolatileWriteCache(rawValue: value).enabled ? "enabled" : "disabled")
      ]
    case .numberOfQueues:
      let queues = NumberOfQueues(rawValue: value)
      return [
        Detail("Number of I/O Completion Queues Allocated (NCQA)", queues.completionQueues),
        Detail("Number of I/O Submission Queues Allocated (NSQA)", queues.submissionQueues),
      ]
    case .asynchronousEventConfiguration:
      return ControllerBits.asynchronousEvents.map { bits in
        let index = UInt32(bits.bits.lowerBound)
        let name = bits.meaning(1).replacingSuffix(" supported", with: "")
        return Detail(name, value >> index & 1 == 1 ? "enabled" : "disabled")
      }
    case .keepAliveTimer:
      return [Detail("Keep Alive Timeout (KATO)", value == 0 ? "off" : "\(value) ms")]
    case .hostIdentifier where data.count >= 16:
      return [Detail("Host Identifier (HOSTID)", Identifier128(bytes: data.prefix(16))?.uuidString ?? "-")]
    case .hostBehaviorSupport:
      guard let behavior = try? HostBehaviorSupport(decoding: data) else { return [] }
      return [
        Detail(
          "Advanced Command Retry Enable (ACRE)", behavior.advancedCommandRetryEnable == 1 ? "enabled" : "disabled")
      ]
    case .namespaceWriteProtectionConfig:
      let names = [
        "no write protection", "write protected", "write protected until power cycle", "permanently write protected",
      ]
      let state = Int(value & 0b111)
      return [Detail("Write Protection State", state < names.count ? names[state] : "reserved")]
    default:
      return []
    }
  }

  /// Bytes of data that Get Features answers with, for the features that have some (NVMe Base 2.1, section 5.1.25).
  static func dataByteCount(_ feature: FeatureIdentifier) -> Int {
    switch feature {
    case .lbaRangeType, .hostMemoryBuffer: 4096
    case .autonomousPowerStateTransition: 256
    case .timestamp: 8
    case .hostBehaviorSupport: 512
    case .hostIdentifier: 16
    default: 0
    }
  }
}

extension String {
  /// The text with its end replaced; unchanged where it ends otherwise.
  func replacingSuffix(_ suffix: String, with replacement: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) + replacement : self
  }
}
