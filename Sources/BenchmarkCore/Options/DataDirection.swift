/// The direction of an I/O as statistics count it. The raw value indexes per-direction tables.
@frozen public enum DataDirection: Int, CaseIterable, Sendable {
  case read = 0
  case write = 1
  case trim = 2

  /// fio's word for the direction, as it appears in reports and JSON.
  public var label: String {
    switch self {
    case .read: "read"
    case .write: "write"
    case .trim: "trim"
    }
  }
}
