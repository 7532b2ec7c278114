/// The two ends of an NVMe/TCP connection.
@frozen
public enum ConnectionRole: UInt8, Sendable {
  case host
  case controller
}
