import BlockDevice
import JSON

/// Namespaces as `nvme list` shows them, with a URI in place of a device file.
enum NamespaceListReport {
  struct Row: Hashable, Sendable {
    var uri: String
    var subsystemNQN: String
    var serialNumber: String
    var modelNumber: String
    var firmwareRevision: String
    var namespaceIdentifier: UInt32
    var blockByteCount: UInt32
    var blockCount: UInt64
    var usedBlockCount: UInt64
    var isWriteProtected: Bool
    var anaState: String?
    /// Why it cannot be used; nil when it can.
    var unusableReason: String?
  }

  static func text(_ rows: [Row]) -> String {
    var table = TextTable(columns: ["Node", "SN", "Model", "Namespace", "Usage", "Format", "FW Rev"])
    for row in rows {
      let used = size(row.usedBlockCount, row.blockByteCount)
      let total = size(row.blockCount, row.blockByteCount)
      table.rows.append([
        row.uri, row.serialNumber, row.modelNumber, "0x\(row.namespaceIdentifier.hexadecimal())",
        "\(used) / \(total)", blockSize(row.blockByteCount), row.firmwareRevision,
      ])
    }
    var lines = [table.text]
    for row in rows {
      if let reason = row.unusableReason { lines.append("\(row.uri): cannot be used: \(reason)") }
      if let state = row.anaState, state != "optimized" { lines.append("\(row.uri): ANA state \(state)") }
      if row.isWriteProtected { lines.append("\(row.uri): write protected") }
    }
    return lines.joined(separator: "\n")
  }

  static func json(_ rows: [Row]) -> JSONValue {
    [
      "Devices": .array(
        rows.map { row in
          [
            "DevicePath": .string(row.uri), "SubsystemNQN": .string(row.subsystemNQN),
            "NameSpace": .integer(row.namespaceIdentifier), "ModelNumber": .string(row.modelNumber),
            "SerialNumber": .string(row.serialNumber), "Firmware": .string(row.firmwareRevision),
            "UsedBytes": .integer(bytes(row.usedBlockCount, row.blockByteCount)),
            "MaximumLBA": .integer(row.blockCount),
            "PhysicalSize": .integer(bytes(row.blockCount, row.blockByteCount)),
            "SectorSize": .integer(row.blockByteCount), "WriteProtected": .bool(row.isWriteProtected),
            "ANAState": row.anaState.map { .string($0) } ?? .null,
            "Unusable": row.unusableReason.map { .string($0) } ?? .null,
          ]
        })
    ]
  }

  private static func bytes(_ blocks: UInt64, _ blockByteCount: UInt32) -> UInt64 {
    let (count, overflow) = blocks.multipliedReportingOverflow(by: UInt64(blockByteCount))
    return overflow ? .max : count
  }

  private static func size(_ blocks: UInt64, _ blockByteCount: UInt32) -> String {
    ByteText.decimal(bytes(blocks, blockByteCount))
  }

  private static func blockSize(_ count: UInt32) -> String {
    count % 1024 == 0 ? "\(count / 1024) KiB + 0 B" : "\(count)   B + 0 B"
  }
}

extension NamespaceListReport {
  /// What a connected controller shows.
  static func rows(_ snapshot: Controller.Snapshot, target: TargetIdentifier) -> [Row] {
    snapshot.namespaces.values.sorted { $0.identifier < $1.identifier }.map { namespace in
      var place = target
      place.namespaceIdentifier = namespace.identifier
      let group = snapshot.anaLog?.groups.first { $0.identifier == namespace.anaGroupIdentifier }
      return Row(
        uri: place.uri, subsystemNQN: target.subsystemNQN,
        serialNumber: snapshot.identification?.serialNumber ?? "",
        modelNumber: snapshot.identification?.modelNumber ?? "",
        firmwareRevision: snapshot.identification?.firmwareRevision ?? "",
        namespaceIdentifier: namespace.identifier, blockByteCount: namespace.blockByteCount,
        blockCount: namespace.blockCount, usedBlockCount: namespace.usedBlockCount,
        isWriteProtected: namespace.isWriteProtected, anaState: group?.state.description,
        unusableReason: namespace.unusableReason)
    }
  }
}
