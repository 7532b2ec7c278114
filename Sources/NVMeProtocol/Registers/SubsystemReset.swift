/// NSSR (NVMe Base 2.1, section 3.1.4.7): writing this value resets the whole NVM subsystem.
public enum SubsystemReset {
  /// "NVMe" in ASCII.
  public static let value: UInt32 = 0x4E56_4D65
}
