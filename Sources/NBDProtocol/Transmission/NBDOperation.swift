/// What a request asks of the device. What can be answered without it never gets there.
public enum NBDOperation: UInt8, Sendable, Hashable {
  case read
  case write
  case flush
  case trim
  case writeZeroes
}
