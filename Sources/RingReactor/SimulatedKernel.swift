/// The operating system as a simulation plays it: everything that a ``Reactor`` and its sockets ask of the kernel, and the
/// time. All that lies above the system calls runs on it unchanged.
package protocol SimulatedKernel: AnyObject {
  /// The time, in nanoseconds. It passes between turns only.
  var nowNanoseconds: UInt64 { get }

  /// A new socket's descriptor.
  func openSocket() -> Int32
  func closeSocket(_ fileDescriptor: Int32)
  /// What the peer has not acknowledged when the socket is closed is thrown away, not sent again.
  func discardUnsentOnClose(_ fileDescriptor: Int32)
  /// Nothing more will be sent.
  func endSending(_ fileDescriptor: Int32)

  /// Takes bytes to be sent, as many as it likes at once, and has no use for their memory when it returns.
  ///
  /// - Returns: how many it has taken, or an error's negative number.
  func sendNow(_ fileDescriptor: Int32, _ pieces: [UnsafeMutableRawBufferPointer]) -> Int32

  /// Takes an operation. Its end is to be told by ``SimulatedRing/complete(_:result:)``, in this call or later; its memory
  /// is the kernel's until then.
  func begin(_ operation: SimulatedOperation, on ring: SimulatedRing)
}

extension SimulatedKernel {
  // For simulations in which nothing is ever unsent.
  package func discardUnsentOnClose(_ fileDescriptor: Int32) {}
}
