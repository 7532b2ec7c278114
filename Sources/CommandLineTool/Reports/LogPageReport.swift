import BlockDevice
import JSON

/// A log page for people and for scripts.
struct LogPageReport: Sendable {
  var text: String
  var json: JSONValue

  /// - Parameters:
  ///   - data: the page as the controller gave it.
  ///   - device: what was asked, for the titles.
  /// - Throws: `DecodingError` when the page is not what it should be.
  /// - Returns: nil for pages that this tool does not know: show a hexdump.
  static func make(
    _ page: LogPageIdentifier, data: [UInt8], device: String, isHuman: Bool
  ) throws(NVMeProtocol.DecodingError) -> LogPageReport? {
    switch page {
    case .supportedLogPages: return supportedPages(try SupportedLogPages(decoding: data))
    case .errorInformation: return errors(try ErrorInformationLog(decoding: data), device: device)
    case .smartHealth:
      let report = SMARTReport.make(try SMARTHealthLog(decoding: data), device: device)
      return LogPageReport(text: report.text(isHuman: isHuman, nameWidth: 35), json: report.json)
    case .firmwareSlot: return firmware(try FirmwareSlotLog(decoding: data), device: device)
    case .changedNamespaceList: return changedNamespaces(try ChangedNamespaceList(decoding: data))
    case .commandsSupportedAndEffects: return effects(try CommandEffectsLog(decoding: data), isHuman: isHuman)
    case .asymmetricNamespaceAccess: return ana(try ANALog(decoding: data), device: device)
    default: return nil
    }
  }

  private static func supportedPages(_ log: SupportedLogPages) -> LogPageReport {
    var lines = ["Supported Log Pages:"]
    var members: [JSONValue] = []
    for page in log.supported {
      let name = page.name ?? (page.rawValue >= 0xC0 ? "Vendor specific" : "Unknown")
      lines.append("0x\(page.rawValue.hexadecimal(digits: 2)) : \(name)")
      members.append(["lid": .integer(page.rawValue), "name": .string(name), "entry": .integer(log[page])])
    }
    return LogPageReport(text: lines.joined(separator: "\n"), json: ["supported_log_pages": .array(members)])
  }

  private static func errors(_ log: ErrorInformationLog, device: String) -> LogPageReport {
    let used = log.entries.filter { $0.errorCount != 0 }.count
    var lines = [
      "Error Log Entries for device:\(device) entries:\(log.entries.count), of which \(used) are used",
      ".................",
    ]
    var members: [JSONValue] = []
    for (index, entry) in log.entries.enumerated() {
      members.append(json(entry))
      if entry.errorCount == 0 { continue }
      lines += [
        " Entry[\(String(index).leftPadded(to: 2))]",
        ".................",
        "error_count     : \(entry.errorCount)",
        "sqid            : \(entry.submissionQueueIdentifier)",
        "cmdid           : 0x\(entry.commandIdentifier.hexadecimal())",
        "status_field    : 0x\(entry.status.rawValue.hexadecimal()) (\(entry.status.name))",
        "phase_tag       : 0x\((entry.statusAndPhase & 1).hexadecimal())",
        "parm_err_loc    : 0x\(entry.parameterErrorLocation.hexadecimal())",
        "lba             : 0x\(entry.lba.hexadecimal())",
        "nsid            : 0x\(entry.namespaceIdentifier.hexadecimal())",
        "vs              : \(entry.vendorSpecificLogPage)",
        "trtype          : \(TransportType(rawValue: entry.transportType))",
        "csi             : \(entry.commandSet)",
        "opcode          : 0x\(entry.opcode.hexadecimal())",
        "cs              : 0x\(entry.commandSpecific.hexadecimal())",
        "trtype_spec_info: 0x\(entry.transportSpecific.hexadecimal())",
        ".................",
      ]
    }
    return LogPageReport(text: lines.joined(separator: "\n"), json: ["errors": .array(members)])
  }

  private static func json(_ entry: ErrorInformationEntry) -> JSONValue {
    [
      "error_count": .integer(entry.errorCount), "sqid": .integer(entry.submissionQueueIdentifier),
      "cmdid": .integer(entry.commandIdentifier), "status_field": .integer(entry.status.rawValue),
      "status_name": .string(entry.status.name), "phase_tag": .integer(entry.statusAndPhase & 1),
      "parm_error_location": .integer(entry.parameterErrorLocation), "lba": .integer(entry.lba),
      "nsid": .integer(entry.namespaceIdentifier), "vs": .integer(entry.vendorSpecificLogPage),
      "trtype": .integer(entry.transportType), "csi": .integer(entry.commandSet),
      "opcode": .integer(entry.opcode), "cs": .integer(entry.commandSpecific),
      "trtype_spec_info": .integer(entry.transportSpecific),
    ]
  }

  private static func firmware(_ log: FirmwareSlotLog, device: String) -> LogPageReport {
    var lines = [
      "Firmware Log for device:\(device)", "afi  : 0x\(log.activeFirmwareInformation.hexadecimal())",
    ]
    var members: JSONObject = [
      "afi": .integer(log.activeFirmwareInformation),
      "active_slot": .integer(log.activeSlot),
      "next_slot": .integer(log.nextSlot),
    ]
    for (index, revision) in log.revisions.enumerated() where !revision.isEmpty {
      lines.append("frs\(index + 1) : \(revision)")
      members["frs\(index + 1)"] = .string(revision)
    }
    return LogPageReport(text: lines.joined(separator: "\n"), json: .object(members))
  }

  private static func changedNamespaces(_ log: ChangedNamespaceList) -> LogPageReport {
    let lines =
      log.isOverflowed
      ? ["more than \(ChangedNamespaceList.maximumCount) namespaces have changed: look at all of them"]
      : log.identifiers.enumerated().map { "[\(String($0).leftPadded(to: 4))]:0x\($1.hexadecimal())" }
    let text = lines.isEmpty ? "no namespace has changed since the last reading" : lines.joined(separator: "\n")
    return LogPageReport(
      text: text,
      json: [
        "overflow": .bool(log.isOverflowed),
        "changed_namespaces": .array(log.identifiers.map { .integer($0) }),
      ])
  }

  private static func effects(_ log: CommandEffectsLog, isHuman: Bool) -> LogPageReport {
    var lines: [String] = []
    var members = JSONObject()
    func add(
      _ title: String, _ prefix: String, _ member: String, name: (UInt8) -> String,
      effects: (UInt8) -> CommandEffectsLog.Effects
    ) {
      lines.append(title)
      var commands: [JSONValue] = []
      for opcode in UInt8.min...UInt8.max {
        let value = effects(opcode)
        guard value.rawValue != 0 else { continue }
        let number = prefix + String(opcode)
        lines.append(
          "\(number.padded(to: 8))[\(name(opcode).padded(to: 34))] 0x\(value.rawValue.hexadecimal(digits: 8))"
            + (isHuman ? "  " + describe(value) : ""))
        commands.append([
          "opcode": .integer(opcode), "name": .string(name(opcode)), "effects": .integer(value.rawValue),
        ])
      }
      members[member] = .array(commands)
    }
    add("Admin Command Set", "ACS", "admin_cmd_set", name: { AdminOpcode(rawValue: $0)?.name ?? "Unknown" }) {
      log[admin: $0]
    }
    add("NVM Command Set", "IOCS", "io_cmd_set", name: { IOOpcode(rawValue: $0)?.name ?? "Unknown" }) { log[io: $0] }
    return LogPageReport(text: lines.joined(separator: "\n"), json: .object(members))
  }

  private static func describe(_ effects: CommandEffectsLog.Effects) -> String {
    let names: [(CommandEffectsLog.Effects, String)] = [
      (.supported, "supported"), (.logicalBlockContentChange, "changes blocks"),
      (.namespaceCapabilityChange, "changes namespace capabilities"),
      (.namespaceInventoryChange, "changes the namespace inventory"),
      (.controllerCapabilityChange, "changes controller capabilities"),
    ]
    var words = names.filter { effects.contains($0.0) }.map(\.1)
    switch effects.submissionAndExecution {
    case 0: break
    case 1: words.append("alone in its namespace")
    case 2: words.append("alone in the subsystem")
    default: words.append("reserved CSE \(effects.submissionAndExecution)")
    }
    return words.joined(separator: ", ")
  }

  private static func ana(_ log: ANALog, device: String) -> LogPageReport {
    var lines = [
      "Asymmetric Namespace Access Log for NVMe device: \(device)", "ANA LOG HEADER :-",
      "chgcnt\t:\t\(log.changeCount)", "ngrps\t:\t\(log.groups.count)", "ANA Log Desc :-",
    ]
    var groups: [JSONValue] = []
    for group in log.groups {
      lines += [
        "grpid\t:\t\(group.identifier)", "nnsids\t:\t\(group.namespaceIdentifiers.count)",
        "chgcnt\t:\t\(group.changeCount)", "state\t:\t\(group.state)",
      ]
      lines += group.namespaceIdentifiers.map { "\tnsid\t:\t\($0)" }
      lines.append("")
      groups.append([
        "grpid": .integer(group.identifier), "chgcnt": .integer(group.changeCount),
        "state": .string(group.state.description), "nsids": .array(group.namespaceIdentifiers.map { .integer($0) }),
      ])
    }
    return LogPageReport(
      text: lines.joined(separator: "\n"),
      json: ["change_count": .integer(log.changeCount), "groups": .array(groups)])
  }
}
