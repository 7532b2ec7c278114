/// Feature 0Bh (NVMe Base 2.1, section 5.1.25.1.5), and OAES of Identify Controller, whose bits for
/// notices sit at the same places.
public struct AsynchronousEventConfiguration: OptionSet, Hashable, Sendable {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let spareBelowThreshold = AsynchronousEventConfiguration(rawValue: 1 << 0)
  public static let temperature = AsynchronousEventConfiguration(rawValue: 1 << 1)
  public static let reliabilityDegraded = AsynchronousEventConfiguration(rawValue: 1 << 2)
  public static let readOnly = AsynchronousEventConfiguration(rawValue: 1 << 3)
  public static let volatileMemoryBackupFailed = AsynchronousEventConfiguration(rawValue: 1 << 4)
  public static let persistentMemoryRegionReadOnly = AsynchronousEventConfiguration(rawValue: 1 << 5)
  public static let namespaceAttribute = AsynchronousEventConfiguration(rawValue: 1 << 8)
  public static let firmwareActivation = AsynchronousEventConfiguration(rawValue: 1 << 9)
  public static let telemetryLog = AsynchronousEventConfiguration(rawValue: 1 << 10)
  public static let anaChange = AsynchronousEventConfiguration(rawValue: 1 << 11)
  public static let predictableLatencyAggregate = AsynchronousEventConfiguration(rawValue: 1 << 12)
  public static let lbaStatusInformation = AsynchronousEventConfiguration(rawValue: 1 << 13)
  public static let enduranceGroupAggregate = AsynchronousEventConfiguration(rawValue: 1 << 14)
  public static let normalSubsystemShutdown = AsynchronousEventConfiguration(rawValue: 1 << 15)
  public static let zoneDescriptorChanged = AsynchronousEventConfiguration(rawValue: 1 << 27)
  public static let discoveryLogPageChange = AsynchronousEventConfiguration(rawValue: 1 << 31)

  /// The SMART / Health critical warnings: always offered, OAES does not list them.
  public static let criticalWarnings = AsynchronousEventConfiguration(rawValue: 0xFF)
}
