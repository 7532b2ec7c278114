internal import CLiburing
import Glibc

/// A ring whose other side is a ``SimulatedKernel``: the same memory, laid out as the kernel lays it out, so that entries
/// are prepared and completions collected by the same code.
package final class SimulatedRing {
  let pointer: UnsafeMutablePointer<io_uring>
  private let kernel: any SimulatedKernel
  private let entries: UnsafeMutablePointer<io_uring_sqe>
  private let completions: UnsafeMutablePointer<io_uring_cqe>
  /// Head and tail of both rings, and their flags.
  private let words: UnsafeMutablePointer<UInt32>

  private static let entryCount: UInt32 = 256
  private static let completionCount: UInt32 = 4096

  init(kernel: any SimulatedKernel) {
    self.kernel = kernel
    pointer = .allocate(capacity: 1)
    pointer.initialize(to: io_uring())
    entries = .allocate(capacity: Int(Self.entryCount))
    entries.initialize(repeating: io_uring_sqe(), count: Int(Self.entryCount))
    completions = .allocate(capacity: Int(Self.completionCount))
    completions.initialize(repeating: io_uring_cqe(), count: Int(Self.completionCount))
    words = .allocate(capacity: 6)
    words.initialize(repeating: 0, count: 6)
    pointer.pointee.sq.khead = words
    pointer.pointee.sq.ktail = words + 1
    pointer.pointee.sq.kflags = words + 2
    pointer.pointee.sq.sqes = entries
    pointer.pointee.sq.ring_entries = Self.entryCount
    pointer.pointee.sq.ring_mask = Self.entryCount - 1
    pointer.pointee.cq.khead = words + 3
    pointer.pointee.cq.ktail = words + 4
    pointer.pointee.cq.kflags = words + 5
    pointer.pointee.cq.cqes = completions
    pointer.pointee.cq.ring_entries = Self.completionCount
    pointer.pointee.cq.ring_mask = Self.completionCount - 1
  }

  deinit {
    pointer.deallocate()
    entries.deallocate()
    completions.deallocate()
    words.deallocate()
  }

  /// Hands over what is prepared.
  func enter() {
    while words[0] != pointer.pointee.sq.sqe_tail {
      let entry = entries[Int(words[0] & pointer.pointee.sq.ring_mask)]
      words[0] &+= 1
      kernel.begin(SimulatedOperation(kind: Self.kind(of: entry), userData: entry.user_data), on: self)
    }
    pointer.pointee.sq.sqe_head = words[0]
    words[1] = words[0]
  }

  /// Tells the end of an operation.
  ///
  /// - Parameter result: as the kernel gives it: a count, or an `errno` with its sign turned round.
  package func complete(_ operation: SimulatedOperation, result: Int32) {
    precondition(words[4] &- words[3] < Self.completionCount, "more completions than a turn collects")
    let completion = completions + Int(words[4] & pointer.pointee.cq.ring_mask)
    completion.pointee.user_data = operation.userData
    completion.pointee.res = result
    completion.pointee.flags = 0
    words[4] &+= 1
  }

  private static func kind(of entry: io_uring_sqe) -> SimulatedOperation.Kind {
    let memory = UnsafeMutableRawPointer(bitPattern: UInt(entry.addr))
    switch Int(entry.opcode) {
    case Int(IORING_OP_CONNECT.rawValue):
      let address = SocketAddress(
        copying: memory!.assumingMemoryBound(to: sockaddr.self), byteCount: UInt32(truncatingIfNeeded: entry.off))
      return .connect(fileDescriptor: entry.fd, address)
    case Int(IORING_OP_RECV.rawValue):
      return .receive(
        fileDescriptor: entry.fd, into: [UnsafeMutableRawBufferPointer(start: memory, count: Int(entry.len))])
    case Int(IORING_OP_RECVMSG.rawValue):
      return .receive(fileDescriptor: entry.fd, into: pieces(memory))
    case Int(IORING_OP_SENDMSG.rawValue):
      return .send(fileDescriptor: entry.fd, pieces(memory))
    case Int(IORING_OP_ASYNC_CANCEL.rawValue):
      return entry.cancel_flags & UInt32(IORING_ASYNC_CANCEL_ANY) != 0
        ? .cancelAll : .cancel(fileDescriptor: entry.fd)
    case Int(IORING_OP_POLL_ADD.rawValue):
      return .poll
    default:
      return .unsupported
    }
  }

  static func pieces(_ memory: UnsafeMutableRawPointer?) -> [UnsafeMutableRawBufferPointer] {
    let header = memory!.assumingMemoryBound(to: msghdr.self).pointee
    return (0..<header.msg_iovlen).map { index in
      UnsafeMutableRawBufferPointer(start: header.msg_iov[index].iov_base, count: header.msg_iov[index].iov_len)
    }
  }
}
