/// Why a transport connection could not be made, or ended.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    case nameResolution
    /// The peer does not let us connect, or cannot be reached.
    case connect
    /// It was not there in time.
    case timedOut
    /// The peer ended the connection.
    case closedByPeer
    /// The connection broke.
    case broken
    /// The kernel gave the connection up, because nothing acknowledged what was sent.
    case unacknowledged
    /// The controller broke the transport's rules.
    case protocolViolation
    /// The controller says that we broke the transport's rules.
    case terminatedByController
    /// The controller did not answer a command in time.
    case commandTimedOut
    /// A local resource is missing.
    case local
  }

  public var kind: Kind
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}
