import Synchronization

/// The number of the signal that wants an end of the run; 0 until one comes. Any thread may call.
final class Interruption: Sendable {
  private let value = Atomic<Int32>(0)

  var number: Int32 { value.load(ordering: .relaxed) }

  /// - Returns: the number that was there before.
  func exchange(_ number: Int32) -> Int32 { value.exchange(number, ordering: .relaxed) }
}
