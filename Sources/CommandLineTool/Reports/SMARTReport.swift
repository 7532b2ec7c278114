import BlockDevice
import JSON

/// The SMART / Health Information log as `nvme smart-log` shows it (NVMe Base 2.1, figure 206).
enum SMARTReport {
  static let criticalWarning: [BitDescription] = [
    .bit(5, "Persistent memory region is read-only or unreliable", unset: "Persistent memory region: no warning"),
    .bit(4, "Volatile memory backup has failed", unset: "Volatile memory backup: no warning"),
    .bit(3, "Media is read-only", unset: "Media can be written"),
    .bit(2, "Reliability is degraded", unset: "Reliability is not degraded"),
    .bit(1, "Temperature is beyond a threshold", unset: "Temperature is within its thresholds"),
    .bit(0, "Spare space is below its threshold", unset: "Spare space is not below its threshold"),
  ]

  static func make(_ log: SMARTHealthLog, device: String) -> StructureReport {
    var report = StructureReport(title: "Smart Log for NVME device:\(device)")
    report.add(hex: "critical_warning", log.criticalWarning, bits: criticalWarning)
    report.add(
      "temperature", temperature(log.compositeTemperatureKelvin), json: .integer(log.compositeTemperatureKelvin))
    report.add(
      "available_spare", "\(log.availableSparePercent)%", json: .integer(log.availableSparePercent),
      jsonName: "avail_spare")
    report.add(
      "available_spare_threshold", "\(log.availableSpareThresholdPercent)%",
      json: .integer(log.availableSpareThresholdPercent), jsonName: "spare_thresh")
    report.add(
      "percentage_used", "\(log.percentageUsed)%", json: .integer(log.percentageUsed), jsonName: "percent_used")
    let groups = log.enduranceGroupCriticalWarnings
    report.add(
      "endurance_group_critical_warning_summary", groups == 0 ? "0" : "0x" + String(groups, radix: 16),
      json: .integer(groups), jsonName: "endurance_grp_critical_warning_summary")
    report.add(
      "Data Units Read", dataUnits(log.dataUnitsRead), json: .integer(log.dataUnitsRead), jsonName: "data_units_read")
    report.add(
      "Data Units Written", dataUnits(log.dataUnitsWritten), json: .integer(log.dataUnitsWritten),
      jsonName: "data_units_written")
    report.add(decimal: "host_read_commands", log.hostReadCommands)
    report.add(decimal: "host_write_commands", log.hostWriteCommands)
    report.add(decimal: "controller_busy_time", log.controllerBusyMinutes)
    report.add(decimal: "power_cycles", log.powerCycles)
    report.add(decimal: "power_on_hours", log.powerOnHours)
    report.add(decimal: "unsafe_shutdowns", log.unsafeShutdowns)
    report.add(decimal: "media_errors", log.mediaErrors)
    report.add(decimal: "num_err_log_entries", log.errorLogEntries)
    report.add(
      "Warning Temperature Time", String(log.warningTemperatureMinutes), json: .integer(log.warningTemperatureMinutes),
      jsonName: "warning_temp_time")
    report.add(
      "Critical Composite Temperature Time", String(log.criticalTemperatureMinutes),
      json: .integer(log.criticalTemperatureMinutes), jsonName: "critical_comp_time")
    for (index, sensor) in log.temperatureSensorsKelvin.enumerated() where sensor != 0 {
      report.add(
        "Temperature Sensor \(index + 1)", temperature(sensor), json: .integer(sensor),
        jsonName: "temperature_sensor_\(index + 1)")
    }
    let transitions = [log.thermalManagement1Transitions, log.thermalManagement2Transitions]
    let seconds = [log.thermalManagement1Seconds, log.thermalManagement2Seconds]
    for index in 0..<2 {
      report.add(
        "Thermal Management T\(index + 1) Trans Count", String(transitions[index]), json: .integer(transitions[index]),
        jsonName: "thm_temp\(index + 1)_trans_count")
    }
    for index in 0..<2 {
      report.add(
        "Thermal Management T\(index + 1) Total Time", String(seconds[index]), json: .integer(seconds[index]),
        jsonName: "thm_temp\(index + 1)_total_time")
    }
    return report
  }

  /// Targets without a thermometer say 0 K.
  static func temperature(_ kelvin: UInt16) -> String {
    kelvin == 0 ? "not reported" : "\(Int(kelvin) - 273) °C (\(kelvin) K)"
  }

  /// A unit is 1,000 times 512 bytes.
  private static func dataUnits(_ units: UInt128) -> String {
    let (bytes, overflow) = units.multipliedReportingOverflow(by: 512_000)
    return overflow || bytes > UInt128(UInt64.max) ? "\(units)" : "\(units) (\(ByteText.decimal(UInt64(bytes))))"
  }
}
