import BlockDevice
import JSON

/// Identify Namespace as `nvme id-ns` shows it (fields: NVM Command Set 1.1).
enum IdentifyNamespaceReport {
  static func make(_ namespace: IdentifyNamespace, identifier: UInt32) -> StructureReport {
    var report = StructureReport(title: "NVME Identify Namespace \(identifier):")
    let blockBytes = (try? namespace.geometry())?.blockBytes
    func bytes(_ blocks: UInt64) -> String? {
      guard let blockBytes else { return nil }
      let (count, overflow) = blocks.multipliedReportingOverflow(by: UInt64(blockBytes))
      return overflow ? nil : ByteText.binary(count)
    }
    report.add(hex: "nsze", namespace.sizeBlocks, note: bytes(namespace.sizeBlocks))
    report.add(hex: "ncap", namespace.capacityBlocks, note: bytes(namespace.capacityBlocks))
    report.add(hex: "nuse", namespace.utilizationBlocks, note: bytes(namespace.utilizationBlocks))
    report.add(hex: "nsfeat", namespace.features, bits: NamespaceBits.features)
    report.add(decimal: "nlbaf", namespace.formatCount)
    report.add(hex: "flbas", namespace.formattedSize, bits: NamespaceBits.formattedSize)
    report.add(hex: "mc", namespace.metadataCapabilities, bits: NamespaceBits.metadata)
    report.add(hex: "dpc", namespace.protectionCapabilities, bits: NamespaceBits.protectionCapabilities)
    report.add(hex: "dps", namespace.protectionSettings, bits: NamespaceBits.protectionSettings)
    report.add(
      hex: "nmic", namespace.multipathCapabilities,
      bits: [.bit(0, "Several controllers may attach it", unset: "One controller may attach it")])
    report.add(hex: "rescap", namespace.reservationCapabilities, bits: NamespaceBits.reservations)
    report.add(hex: "fpi", namespace.formatProgressIndicator, bits: NamespaceBits.formatProgress)
    report.add(hex: "dlfeat", namespace.deallocateFeatures, bits: NamespaceBits.deallocate)
    report.add(decimal: "nawun", namespace.atomicWriteUnitNormal)
    report.add(decimal: "nawupf", namespace.atomicWriteUnitPowerFail)
    report.add(decimal: "nacwu", namespace.atomicCompareAndWriteUnit)
    report.add(decimal: "nabsn", namespace.atomicBoundarySizeNormal)
    report.add(decimal: "nabo", namespace.atomicBoundaryOffset)
    report.add(decimal: "nabspf", namespace.atomicBoundarySizePowerFail)
    report.add(decimal: "noiob", namespace.optimalIOBoundary)
    report.add(decimal: "nvmcap", namespace.capacityBytes)
    if namespace.reportsOptimalPerformance {
      report.add(decimal: "npwg", namespace.preferredWriteGranularity)
      report.add(decimal: "npwa", namespace.preferredWriteAlignment)
      report.add(decimal: "npdg", namespace.preferredDeallocateGranularity)
      report.add(decimal: "npda", namespace.preferredDeallocateAlignment)
      report.add(decimal: "nows", namespace.optimalWriteSize)
    }
    report.add(decimal: "mssrl", namespace.maximumSourceRangeLength)
    report.add(decimal: "mcl", namespace.maximumCopyLength)
    report.add(decimal: "msrc", namespace.maximumSourceRangeCount)
    report.add(decimal: "nulbaf", namespace.uniqueFormatCount)
    report.add(decimal: "anagrpid", namespace.anaGroupIdentifier)
    report.add(
      hex: "nsattr", namespace.attributes,
      bits: [.bit(0, "Write protected", unset: "Not write protected")])
    report.add(decimal: "nvmsetid", namespace.nvmSetIdentifier)
    report.add(decimal: "endgid", namespace.enduranceGroupIdentifier)
    report.add(text: "nguid", namespace.nguid.hexadecimalString)
    report.add(text: "eui64", namespace.eui64.hexadecimal(digits: 16))
    addFormats(namespace, to: &report)
    return report
  }

  private static func addFormats(_ namespace: IdentifyNamespace, to report: inout StructureReport) {
    let count = min(namespace.formats.count, Int(namespace.formatCount) + Int(namespace.uniqueFormatCount) + 1)
    var members: [JSONValue] = []
    var humanLines: [String] = []
    let performance = ["Best", "Better", "Good", "Degraded"]
    for (index, format) in namespace.formats.prefix(count).enumerated() {
      let inUse = index == namespace.formatIndex ? " (in use)" : ""
      let number = String(index).leftPadded(to: 2)
      report.trailer.append(
        "lbaf \(number) : ms:\(String(format.metadataBytes).padded(to: 3)) "
          + "lbads:\(String(format.dataSizeExponent).padded(to: 2)) "
          + "rp:\(format.relativePerformance.hexadecimal())\(inUse)")
      humanLines.append(
        "LBA Format \(number) : Metadata Size: \(String(format.metadataBytes).padded(to: 3)) bytes - "
          + "Data Size: \(format.dataBytes.map { "\($0) bytes" } ?? "not available") - Relative Performance: "
          + "\(format.relativePerformance) \(performance[Int(format.relativePerformance & 0b11)])\(inUse)")
      members.append([
        "ms": .integer(format.metadataBytes), "ds": .integer(format.dataSizeExponent),
        "rp": .integer(format.relativePerformance), "in_use": .integer(UInt8(inUse.isEmpty ? 0 : 1)),
      ])
    }
    report.humanTrailer = humanLines
    report.extraMembers["lbafs"] = .array(members)
  }
}
