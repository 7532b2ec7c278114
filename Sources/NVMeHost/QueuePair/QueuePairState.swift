/// Where a queue pair stands in its life.
public enum QueuePairState: Sendable, Equatable {
  /// The transport connection is being made.
  case connecting
  /// Commands can be submitted.
  case connected
  /// It is being taken down; commands still outstanding end when the kernel has let go of their memory.
  case closing
  /// It is gone, all commands have ended; why, if it was not by our own wish.
  case closed(TransportError?)
}
