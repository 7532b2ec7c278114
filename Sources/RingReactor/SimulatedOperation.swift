/// One entry of a ``SimulatedRing``.
package struct SimulatedOperation {
  package enum Kind {
    case connect(fileDescriptor: Int32, SocketAddress)
    case receive(fileDescriptor: Int32, into: [UnsafeMutableRawBufferPointer])
    /// Ends when all has been taken, or the connection has ended.
    case send(fileDescriptor: Int32, [UnsafeMutableRawBufferPointer])
    /// Takes back everything that is under way on the descriptor.
    case cancel(fileDescriptor: Int32)
    /// Takes back everything.
    case cancelAll
    /// The reactor's mailbox; it is looked at in every turn, so that this never needs to end.
    case poll
    case unsupported
  }

  package let kind: Kind
  let userData: UInt64
}
