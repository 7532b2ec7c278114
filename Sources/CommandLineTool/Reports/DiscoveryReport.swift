import BlockDevice
import JSON

/// The discovery log as `nvme discover` shows it (NVMe Base 2.1, figures 294 and 296).
enum DiscoveryReport {
  static func text(generationCounter: UInt64, entries: [DiscoveryLogEntry]) -> String {
    var lines = [
      "", "Discovery Log Number of Records \(entries.count), Generation counter \(generationCounter)",
    ]
    for (index, entry) in entries.enumerated() {
      lines += [
        "=====Discovery Log Entry \(index)======",
        "trtype:  \(entry.transportType)",
        "adrfam:  \(entry.addressFamily)",
        "subtype: \(entry.subsystemType)",
        "treq:    \(requirements(entry))",
        "portid:  \(entry.portIdentifier)",
        "trsvcid: \(entry.serviceIdentifier)",
        "subnqn:  \(entry.subsystemNQN)",
        "traddr:  \(entry.transportAddress)",
        "eflags:  \(flags(entry))",
      ]
      if entry.transportType == .tcp { lines.append("sectype: \(security(entry))") }
    }
    return lines.joined(separator: "\n")
  }

  static func json(generationCounter: UInt64, entries: [DiscoveryLogEntry]) -> JSONValue {
    [
      "genctr": .integer(generationCounter),
      "records": .array(entries.map(json)),
    ]
  }

  static func json(_ entry: DiscoveryLogEntry) -> JSONValue {
    var members: JSONObject = [
      "trtype": .string(entry.transportType.description),
      "adrfam": .string(entry.addressFamily.description),
      "subtype": .string(entry.subsystemType.description),
      "treq": .string(requirements(entry)),
      "portid": .integer(entry.portIdentifier),
      "cntlid": .integer(entry.controllerIdentifier),
      "asqsz": .integer(entry.adminQueueEntries),
      "trsvcid": .string(entry.serviceIdentifier),
      "subnqn": .string(entry.subsystemNQN),
      "traddr": .string(entry.transportAddress),
      "eflags": .string(flags(entry)),
    ]
    if entry.transportType == .tcp { members["sectype"] = .string(security(entry)) }
    return .object(members)
  }

  static func requirements(_ entry: DiscoveryLogEntry) -> String {
    let names = ["not specified", "required", "not required", "reserved"]
    let name = names[Int(entry.transportRequirements & 0b11)]
    return entry.transportRequirements & 0b100 != 0 ? name + ", sq flow control disable supported" : name
  }

  static func flags(_ entry: DiscoveryLogEntry) -> String {
    let names: [(UInt16, String)] = [
      (1 << 2, "no cdc connectivity"), (1 << 1, "explicit discovery connections"),
      (1 << 0, "duplicate discovery information"),
    ]
    let set = names.filter { entry.flags & $0.0 != 0 }.map(\.1)
    return set.isEmpty ? "none" : set.joined(separator: ", ")
  }

  static func security(_ entry: DiscoveryLogEntry) -> String {
    switch entry.tcpSecurityType {
    case 0: "none"
    case 1: "tls"
    case 2: "tls13"
    default: "reserved (\(entry.tcpSecurityType))"
    }
  }
}

extension DiscoveryReport {
  static func text(_ result: DiscoverySurvey.Result, isHuman: Bool) -> String {
    var parts: [String] = []
    for log in result.logs {
      if log.depth > 0 { parts.append("\nReferral to \(log.target.hostAndPort)") }
      parts.append(text(generationCounter: log.generationCounter, entries: log.entries))
    }
    if isHuman {
      parts.append("")
      for record in result.records where record.entry.subsystemType == .nvm {
        parts.append(record.target?.uri ?? "skipped \(record.entry.subsystemNQN): \(record.unusableReason ?? "")")
      }
    }
    return parts.joined(separator: "\n")
  }

  /// The records of all services together; each says where to connect, or why that cannot be done.
  static func json(_ result: DiscoverySurvey.Result) -> JSONValue {
    [
      "genctr": .integer(result.logs.first?.generationCounter ?? 0),
      "records": .array(result.records.map { json($0) }),
      "failures": .array(
        result.failures.map {
          ["target": .string($0.target.hostAndPort), "error": .string($0.description)]
        }),
    ]
  }

  static func json(_ record: DiscoveryRecord) -> JSONValue {
    guard case .object(var members) = json(record.entry) else { return .null }
    members["source"] = .string(record.source.hostAndPort)
    if record.entry.subsystemType == .nvm {
      members["uri"] = record.target.map { .string($0.uri) } ?? .null
    }
    if let reason = record.unusableReason { members["skipped"] = .string(reason) }
    return .object(members)
  }
}
