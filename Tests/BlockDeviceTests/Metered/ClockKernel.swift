import RingReactor

/// A reactor's clock that moves when the test says so; there is nothing else below it.
final class ClockKernel: SimulatedKernel {
  var nowNanoseconds: UInt64 = 1_000_000_000_000

  func openSocket() -> Int32 { -1 }
  func closeSocket(_ fileDescriptor: Int32) {}
  func endSending(_ fileDescriptor: Int32) {}
  func sendNow(_ fileDescriptor: Int32, _ pieces: [UnsafeMutableRawBufferPointer]) -> Int32 { 0 }
  func begin(_ operation: SimulatedOperation, on ring: SimulatedRing) {}
}
