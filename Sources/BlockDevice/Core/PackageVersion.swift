/// The version of the package: its libraries and its tools have the same.
public enum PackageVersion {
  /// Major, minor, patch. The one place it is written.
  public static let current = "0.1.0"
}
