/// How long one turn of a reactor may wait; how it passes that time is its ``WaitPolicy``.
public enum WaitMode: Sendable, Equatable {
  /// Not at all: collect what is there and return. For busy-polling and for foreign event loops.
  case none
  /// Until something happens.
  case forever
  /// Until something happens, at most so long.
  case atMost(nanoseconds: UInt64)
}
