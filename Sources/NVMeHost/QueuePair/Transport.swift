public import RingReactor

/// Makes queue pairs to one address of a subsystem; its description is that address, for people.
///
/// Used when a connection is made, never on an I/O's way: hence an existential will do.
public protocol Transport: Sendable, CustomStringConvertible {
  /// Makes a queue pair, which begins to connect. Call on the reactor's thread.
  func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair
}
