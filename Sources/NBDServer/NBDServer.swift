public import BlockExport
internal import Glibc
public import RingReactor
internal import Synchronization

/// Serves an ``ExportTable`` to NBD clients over Unix-domain and TCP sockets.
///
/// Each connection lives on one of the reactors, in turn: its socket and its channel to the device are both there, so that
/// a request crosses no thread. Devices must be usable on each of them (NVMe: have an I/O queue there).
///
/// Any thread may call.
public final class NBDServer: Sendable {
  public let exports: ExportTable
  public let configuration: NBDServerConfiguration
  /// Told on the reactors' threads.
  let observer: (@Sendable (NBDServerEvent) -> Void)?
  private let workers: [NBDWorker]

  private struct Listener: @unchecked Sendable {
    /// Touched on the first reactor's thread alone.
    let source: NBDListener
    let address: SocketAddress
  }

  private struct Shared {
    var listeners: [Listener] = []
    var nextWorker = 0
    var isStopping = false
    var security: NBDServerSecurity
  }

  private let shared: Mutex<Shared>
  /// Over all reactors.
  let liveConnectionCount = Atomic<Int>(0)

  /// - Parameters:
  ///   - reactors: at least one.
  ///   - observer: called on the reactors' threads: it is to be quick.
  public init(
    exports: ExportTable, reactors: [ReactorHandle], configuration: NBDServerConfiguration = NBDServerConfiguration(),
    security: NBDServerSecurity = .none, observer: (@Sendable (NBDServerEvent) -> Void)? = nil
  ) {
    precondition(!reactors.isEmpty, "a server needs a reactor")
    self.exports = exports
    self.configuration = configuration
    self.observer = observer
    shared = Mutex(Shared(security: security))
    workers = reactors.map { NBDWorker(handle: $0, keptBufferByteCount: configuration.keptBufferByteCount) }
  }

  /// Connections that there are, those that negotiate included.
  public var connectionCount: Int { liveConnectionCount.load(ordering: .relaxed) }
  /// What clients that connect find. One that has connected keeps what it has found, but begins TLS with the newest.
  public var security: NBDServerSecurity {
    get { shared.withLock { $0.security } }
    set { shared.withLock { $0.security = newValue } }
  }
  /// Where it listens.
  public var addresses: [SocketAddress] { shared.withLock { $0.listeners.map(\.address) } }

  /// Begins to listen; the server lives until ``stop()``.
  ///
  /// - Returns: the address, with the port that the kernel has chosen where 0 was asked for.
  /// - Throws: ``RingError`` naming the system call, or ``ReactorGone``.
  @discardableResult
  public func listen(on address: SocketAddress) async throws -> SocketAddress {
    let listener = try await workers[0].handle.perform { reactor in
      let source = try NBDListener(reactor: reactor, address: address) { self.accepted($0) }
      return Listener(source: source, address: source.address)
    }
    shared.withLock { $0.listeners.append(listener) }
    return listener.address
  }

  /// Takes a connected socket over, wherever it comes from, and serves it.
  public func accepted(_ fileDescriptor: Int32) {
    let worker = shared.withLock { shared -> NBDWorker? in
      guard !shared.isStopping else { return nil }
      defer { shared.nextWorker += 1 }
      return workers[shared.nextWorker % workers.count]
    }
    guard let worker,
      liveConnectionCount.add(1, ordering: .relaxed).newValue <= configuration.maximumConnectionCount
    else {
      if worker != nil { liveConnectionCount.subtract(1, ordering: .relaxed) }
      close(fileDescriptor)
      return
    }
    let isPosted = worker.handle.post { reactor in
      worker.add(NBDConnection(reactor: reactor, server: self, worker: worker, fileDescriptor: fileDescriptor))
    }
    if !isPosted {
      liveConnectionCount.subtract(1, ordering: .relaxed)
      close(fileDescriptor)
    }
  }

  /// Listens no more, lets all connections answer what they have, and closes them. Exports stay as they are.
  public func stop() async {
    let listeners = shared.withLock { shared in
      shared.isStopping = true
      let listeners = shared.listeners
      shared.listeners = []
      return listeners
    }
    for listener in listeners {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        let isPosted = workers[0].handle.post { _ in listener.source.close { continuation.resume() } }
        if !isPosted { continuation.resume() }
      }
    }
    for worker in workers {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        let isPosted = worker.handle.post { _ in worker.drain { continuation.resume() } }
        if !isPosted { continuation.resume() }
      }
    }
  }
}
