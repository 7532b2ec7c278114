public import BlockExport
internal import Glibc
public import Logging
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
  /// Of this server, and of those that it is shared with.
  public let budget: NBDBudget
  private let workers: [NBDWorker]

  private struct Listener: @unchecked Sendable {
    /// Touched on the first reactor's thread alone.
    let source: NBDListener
    let address: SocketAddress
  }

  private struct Shared {
    var listeners: [Listener] = []
    var clientCount: UInt64 = 0
    var isStopping = false
    var security: NBDServerSecurity
  }

  private let shared: Mutex<Shared>
  let log: NBDClientLog
  private let logger: Logger
  /// Over all reactors.
  private let liveConnectionCount = Atomic<Int>(0)

  /// A server with a budget of its own.
  ///
  /// - Parameter reactors: at least one.
  public convenience init(
    exports: ExportTable, reactors: [ReactorHandle], configuration: NBDServerConfiguration = NBDServerConfiguration(),
    security: NBDServerSecurity = .none,
    logger: Logger = Logger(label: "nbd") { _ in SwiftLogNoOpLogHandler() }
  ) {
    self.init(
      exports: exports, budget: NBDBudget(reactors: reactors), configuration: configuration, security: security,
      logger: logger)
  }

  /// - Parameters:
  ///   - budget: brings the reactors along; several servers may have the same.
  ///   - logger: told of sockets, and of clients that come and go (info) and what is refused them (debug), so many lines a
  ///     second at most; nothing of requests.
  public init(
    exports: ExportTable, budget: NBDBudget, configuration: NBDServerConfiguration = NBDServerConfiguration(),
    security: NBDServerSecurity = .none,
    logger: Logger = Logger(label: "nbd") { _ in SwiftLogNoOpLogHandler() }
  ) {
    self.logger = logger
    log = NBDClientLog(logger)
    self.exports = exports
    self.budget = budget
    self.configuration = configuration
    shared = Mutex(Shared(security: security))
    workers = budget.shares.map { NBDWorker(share: $0) }
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
  /// - Throws: ``RingError`` naming the system call, or `ECANCELED` when the server has been stopped; or ``ReactorGone``.
  @discardableResult
  public func listen(on address: SocketAddress) async throws -> SocketAddress {
    let listener = try await workers[0].handle.perform { reactor in
      let source = try NBDListener(reactor: reactor, address: address, log: self.log) { self.accepted($0) }
      return Listener(source: source, address: source.address)
    }
    let isStopping = shared.withLock { shared in
      if !shared.isStopping { shared.listeners.append(listener) }
      return shared.isStopping
    }
    if isStopping {
      await close(listener)
      throw RingError.systemCall(name: "listen at \(listener.address): the server has stopped", errno: ECANCELED)
    }
    logger.info("NBD clients are served", metadata: ["address": "\(listener.address)"])
    return listener.address
  }

  /// Takes a connected socket over, wherever it comes from, and serves it.
  public func accepted(_ fileDescriptor: Int32) {
    let number = shared.withLock { shared -> UInt64? in
      guard !shared.isStopping else { return nil }
      shared.clientCount += 1
      return shared.clientCount
    }
    guard let number else {
      Glibc.close(fileDescriptor)
      return
    }
    guard budget.takePlace() else {
      log.write(
        .warning, "too many clients: one is turned away", ["limit": "\(budget.configuration.maximumConnectionCount)"])
      Glibc.close(fileDescriptor)
      return
    }
    liveConnectionCount.add(1, ordering: .relaxed)
    let worker = workers[Int((number - 1) % UInt64(workers.count))]
    let isPosted = worker.handle.post { reactor in
      if worker.isDraining { return self.turnAway(fileDescriptor) }
      worker.add(
        NBDConnection(reactor: reactor, server: self, worker: worker, number: number, fileDescriptor: fileDescriptor))
    }
    if !isPosted { turnAway(fileDescriptor) }
  }

  /// One that has been counted, and that no reactor takes any more.
  private func turnAway(_ fileDescriptor: Int32) {
    connectionEnded()
    Glibc.close(fileDescriptor)
  }

  private func close(_ listener: Listener) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isPosted = workers[0].handle.post { _ in listener.source.close { continuation.resume() } }
      if !isPosted { continuation.resume() }
    }
  }

  func connectionEnded() {
    liveConnectionCount.subtract(1, ordering: .relaxed)
    budget.givePlace()
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
      await close(listener)
      logger.info("NBD clients are served no more", metadata: ["address": "\(listener.address)"])
    }
    // At the same time: each may take as long as its clients are given.
    await withTaskGroup(of: Void.self) { group in
      for worker in workers { group.addTask { await Self.drain(worker) } }
    }
  }

  private static func drain(_ worker: NBDWorker) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isPosted = worker.handle.post { _ in worker.drain { continuation.resume() } }
      if !isPosted { continuation.resume() }
    }
  }
}
