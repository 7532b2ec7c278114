/// How long one turn of a reactor may sleep in the kernel.
public enum WaitMode: Sendable, Equatable {
  /// Not at all: collect what is there and return. For busy-polling and for foreign event loops.
  case none
  /// Until something happens.
  case forever
  /// Until something happens, at most so long.
  case atMost(nanoseconds: UInt64)
}
