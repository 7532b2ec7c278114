internal import CLiburing
import Glibc

/// A listening socket on a reactor's ring, TCP or Unix-domain, one accept in flight.
public struct ListeningSocket: ~Copyable {
  /// The operation codes used in the owner's completions.
  public enum Operation {
    public static let accept: UInt8 = 0x18
    public static let cancel: UInt8 = 0x19
  }

  public let fileDescriptor: Int32
  /// Where it listens; the port is the one chosen when 0 was asked for.
  public let address: SocketAddress
  public private(set) var isAccepting = false
  private var isCancelling = false
  private var isClosing = false
  /// Device and inode of the file of a Unix-domain socket: another one's, which has taken its place, is not removed.
  private var file: (device: dev_t, inode: ino_t)?

  /// Binds and listens. Port 0 has the kernel choose one.
  ///
  /// A Unix-domain socket's file is made with `mode`; one that is left over from a process that ended is replaced, one that
  /// somebody listens at is not. It is removed when the socket is closed.
  public init(address: SocketAddress, backlog: Int32 = 1024, mode: UInt32 = 0o600) throws(RingError) {
    if let path = address.unixPath { try Self.removeLeftover(path, address) }
    let descriptor = socket(address.family, Int32(nvmeof_stream_socket_type), 0)
    guard descriptor >= 0 else { throw .systemCall(name: "socket", errno: errno) }
    if address.family == AF_UNIX {
      // Before there is a file: nobody else can connect at any moment.
      fchmod(descriptor, mode)
    } else {
      var one: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    }
    guard address.withSocketAddress({ bind(descriptor, $0, $1) }) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw .systemCall(name: "bind to \(address)", errno: code)
    }
    guard listen(descriptor, backlog) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw .systemCall(name: "listen on \(address)", errno: code)
    }
    var status = stat()
    if let path = address.unixPath, lstat(path, &status) == 0 { file = (status.st_dev, status.st_ino) }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    self.address = withUnsafeMutableBytes(of: &storage) { bytes in
      let pointer = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      getsockname(descriptor, pointer, &length)
      return SocketAddress(copying: pointer, byteCount: length)
    }
    fileDescriptor = descriptor
  }

  deinit {
    precondition(!isAccepting && !isCancelling, "close a listening socket and await its completion first")
    if !isClosing { Self.close(fileDescriptor, address, file) }
  }

  /// Removes the file of a Unix-domain socket that nobody listens at any more.
  private static func removeLeftover(_ path: String, _ address: SocketAddress) throws(RingError) {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
    let descriptor = socket(AF_UNIX, Int32(nvmeof_stream_socket_type), 0)
    guard descriptor >= 0 else { throw .systemCall(name: "socket", errno: errno) }
    defer { Glibc.close(descriptor) }
    // Anything but a refusal means that somebody may be there: binding says what is wrong then.
    if address.withSocketAddress({ connect(descriptor, $0, $1) }) != 0, errno == ECONNREFUSED { unlink(path) }
  }

  private static func close(_ descriptor: Int32, _ address: SocketAddress, _ file: (device: dev_t, inode: ino_t)?) {
    var status = stat()
    if let file, let path = address.unixPath, lstat(path, &status) == 0, status.st_dev == file.device,
      status.st_ino == file.inode
    {
      unlink(path)
    }
    Glibc.close(descriptor)
  }

  /// Starts accepting one connection. The completion's result is the new descriptor, or `-errno`.
  public mutating func accept(source: ReactorSource) {
    assert(!isAccepting && !isClosing)
    let entry = source.reactor.entry(for: source, operation: Operation.accept)
    io_uring_prep_accept(entry, fileDescriptor, nil, nil, nvmeof_accept_flags)
    isAccepting = true
  }

  /// Starts closing. Returns true when it is closed already; else a later ``completed(_:)`` says so.
  public mutating func beginClose(source: ReactorSource) -> Bool {
    guard !isClosing else { return false }
    isClosing = true
    if isAccepting {
      let entry = source.reactor.entry(for: source, operation: Operation.cancel)
      io_uring_prep_cancel_fd(entry, fileDescriptor, UInt32(IORING_ASYNC_CANCEL_ALL))
      isCancelling = true
      return false
    }
    Self.close(fileDescriptor, address, file)
    return true
  }

  /// What happened on a listening socket.
  public enum Event: Equatable, Sendable {
    case accepted(fileDescriptor: Int32)
    case failed(errno: Int32)
    case closed
    case none
  }

  /// What a completion of this socket's operations means.
  public mutating func completed(_ completion: RingCompletion) -> Event {
    let (operation, result) = (completion.operation, completion.result)
    switch operation {
    case Operation.accept: isAccepting = false
    case Operation.cancel: isCancelling = false
    default: return .none
    }
    if isClosing {
      // An accept may have won against its cancellation: that connection is nobody's.
      if operation == Operation.accept && result >= 0 { Glibc.close(result) }
      guard !isAccepting && !isCancelling else { return .none }
      Self.close(fileDescriptor, address, file)
      return .closed
    }
    guard operation == Operation.accept else { return .none }
    return result >= 0 ? .accepted(fileDescriptor: result) : .failed(errno: -result)
  }
}
