public import NVMeProtocol

/// How TCP queue pairs are made.
public struct TCPTransportOptions: Sendable, Hashable {
  /// Ask for CRC32C header digests.
  public var headerDigest = false
  /// Ask for CRC32C data digests.
  public var dataDigest = false
  /// Bytes received at once into the queue pair's own buffer, 4 KiB...1 MiB. (An admin queue makes do with 8 KiB.) The
  /// default holds what usually comes at once at depth 128, leaves room in the processor's second-level cache, and is not
  /// much memory where there are many connections.
  public var receiveBufferByteCount = 48 * 1024
  /// From this many bytes of payload still to come, they are received straight into the caller's memory.
  public var directReceiveThresholdByteCount = 16 * 1024
  /// The kernel's receive buffer in bytes, as SO_RCVBUF takes it; nil leaves it to the kernel, but keeps it small while
  /// payloads are small and the path is short (``ReceiveBufferControl``).
  public var socketReceiveBufferByteCount: Int32?
  /// The kernel's send buffer in bytes, as SO_SNDBUF takes it; nil leaves it to the kernel.
  public var socketSendBufferByteCount: Int32?
  /// How long sent data may stay unacknowledged, or wait for a controller that takes nothing, before the kernel gives the
  /// connection up, in milliseconds; 0 = the system's default (about 15 minutes). A keep alive does not show it: it has a
  /// connection of its own, and is small.
  public var userTimeoutMilliseconds: UInt32 = 30_000
  /// Names are looked up for addresses of this family alone; nil: of both.
  public var addressFamily: AddressFamily?
  /// The local address to connect from, numeric; nil: the system's choice. Targets of the other family are not reached.
  public var sourceAddress: String?
  /// SO_PRIORITY of the sockets, 0...6 without privileges; nil: the system's default. Without it there is no connection.
  public var socketPriority: Int32?

  public init() {}
}
