/// The SMART / Health Information log, LID 02h, 512 bytes (NVMe Base 2.1, figure 206).
public struct SMARTHealthLog: WireStructure, FixedLayout, Hashable {
  public static let structureName = "SMART / Health Information log"
  public static let byteCount = 512

  /// Bit 0 spare, 1 temperature, 2 reliability, 3 read only, 4 volatile memory backup, 5 persistent memory
  public var criticalWarning: UInt8 = 0
  public var compositeTemperatureKelvin: UInt16 = 0
  public var availableSparePercent: UInt8 = 0
  public var availableSpareThresholdPercent: UInt8 = 0
  /// May exceed 100
  public var percentageUsed: UInt8 = 0
  public var enduranceGroupCriticalWarnings: UInt8 = 0
  /// In units of 1,000 times 512 bytes
  public var dataUnitsRead: UInt128 = 0
  /// In units of 1,000 times 512 bytes
  public var dataUnitsWritten: UInt128 = 0
  public var hostReadCommands: UInt128 = 0
  public var hostWriteCommands: UInt128 = 0
  public var controllerBusyMinutes: UInt128 = 0
  public var powerCycles: UInt128 = 0
  public var powerOnHours: UInt128 = 0
  public var unsafeShutdowns: UInt128 = 0
  public var mediaErrors: UInt128 = 0
  public var errorLogEntries: UInt128 = 0
  public var warningTemperatureMinutes: UInt32 = 0
  public var criticalTemperatureMinutes: UInt32 = 0
  /// Eight; 0: no such sensor
  public var temperatureSensorsKelvin: [UInt16] = Array(repeating: 0, count: 8)
  public var thermalManagement1Transitions: UInt32 = 0
  public var thermalManagement2Transitions: UInt32 = 0
  public var thermalManagement1Seconds: UInt32 = 0
  public var thermalManagement2Seconds: UInt32 = 0

  public init() {}

  public init(decoding bytes: RawSpan) throws(DecodingError) { self = try Self.decodeFields(bytes) }
  public func encode() -> [UInt8] { encodeFields() }

  mutating func visitFields<Visitor: FieldVisitor>(_ visitor: inout Visitor) {
    visitor.integer(&criticalWarning, at: 0)
    visitor.integer(&compositeTemperatureKelvin, at: 1)
    visitor.integer(&availableSparePercent, at: 3)
    visitor.integer(&availableSpareThresholdPercent, at: 4)
    visitor.integer(&percentageUsed, at: 5)
    visitor.integer(&enduranceGroupCriticalWarnings, at: 6)
    visitor.integer(&dataUnitsRead, at: 32)
    visitor.integer(&dataUnitsWritten, at: 48)
    visitor.integer(&hostReadCommands, at: 64)
    visitor.integer(&hostWriteCommands, at: 80)
    visitor.integer(&controllerBusyMinutes, at: 96)
    visitor.integer(&powerCycles, at: 112)
    visitor.integer(&powerOnHours, at: 128)
    visitor.integer(&unsafeShutdowns, at: 144)
    visitor.integer(&mediaErrors, at: 160)
    visitor.integer(&errorLogEntries, at: 176)
    visitor.integer(&warningTemperatureMinutes, at: 192)
    visitor.integer(&criticalTemperatureMinutes, at: 196)
    visitor.integers(&temperatureSensorsKelvin, at: 200, count: 8)
    visitor.integer(&thermalManagement1Transitions, at: 216)
    visitor.integer(&thermalManagement2Transitions, at: 220)
    visitor.integer(&thermalManagement1Seconds, at: 224)
    visitor.integer(&thermalManagement2Seconds, at: 228)
  }
}
