internal import NVMeProtocol
internal import JSONRPC
internal import Logging
public import RingReactor
internal import Synchronization
internal import TLS

/// The daemon from start to end: its threads, its service, and what serves it.
///
///     let daemon = try DaemonProcess(options: options, log: log)
///     try await daemon.start()
///     …
///     await daemon.stop()
public final class DaemonProcess: Sendable {
  public let options: DaemonOptions
  public let service: Service
  package let dispatcher: RPCDispatcher
  private let control: ReactorThread
  private let reactors: [ReactorThread]
  private let keeper: ConfigurationKeeper
  private let logger: Logger
  /// Touched on the control reactor alone.
  private let served = Served()

  private final class Served: @unchecked Sendable {
    var server: RPCServer?
    var metrics: MetricsServer?
  }

  /// Starts the threads; nobody is served yet.
  public init(options: DaemonOptions, log: DaemonLog) throws(RingError) {
    precondition(options.reactorCount >= 1, "there is at least one I/O reactor")
    self.options = options
    // It sleeps whenever there is nothing to do, and makes way for I/O where processors are few: control has no
    // microseconds to save. On a busy processor it still gets a quarter.
    control = try ReactorThread(name: "nvmeofd-control", waitPolicy: .eventDriven, niceness: 5)
    var reactors: [ReactorThread] = []
    for index in 0..<options.reactorCount { reactors.append(try ReactorThread(name: "nvmeofd-io-\(index)")) }
    self.reactors = reactors
    service = Service(
      control: control.handle, reactors: reactors.map(\.handle), identity: options.identity,
      nbdBudget: options.nbdBudget, log: log)
    logger = log.logger(.rpc)
    let service = service
    let keeper = ConfigurationKeeper(
      path: options.configurationPath, isKept: options.keepsConfiguration,
      sections: Configuration.sections(of: service), table: service.table, logger: log.logger(.configuration),
      phase: { service.lifecycle.phase },
      lookUp: { name in service.devices.device(named: name).map { ($0.name, $0.uuid.uuidString) } },
      executor: control.handle)
    self.keeper = keeper
    service.install(keeper)
    service.controllers.observeLosses { request in
      Task { await keeper.noteLoss(ConfigurationEntry("bdev_nvme_attach_controller", request.members)) }
    }
    // At once: before the call of a client has ended that takes the device back. Devices go on the control reactor.
    _ = service.devices.addObserver { event in
      guard case .unregistered(let device) = event else { return }
      keeper.assumeIsolated { $0.noteLoss(ofDevice: device.name, uuid: device.uuid.uuidString) }
    }
    // What only looks changes nothing.
    let changing = Set(service.table.methods.map(\.name).filter { !$0.contains("_get_") && !$0.hasPrefix("log_") })
    dispatcher = RPCDispatcher(table: service.table, logger: logger, phase: { service.lifecycle.phase }) {
      method, parameters, result in
      if changing.contains(method) { await keeper.noteCall(method, parameters, result) }
    }
  }

  /// Serves JSON-RPC (and metrics), and makes the daemon what its configuration says.
  ///
  /// - Throws: ``RPCServerError``, ``ExportSocketError``, ``ConfigurationFileError``, ``RingError``.
  public func start() async throws {
    let (options, dispatcher, served, service, logger) = (options, dispatcher, served, service, logger)
    // A file that is wrong is told of before anybody is served.
    try await keeper.load()
    if let name = ExportRequest.firstName(in: await keeper.pendingEntries) { service.exports.reserveDefault(name) }
    try await control.handle.perform { reactor in
      served.server = try RPCServer(reactor: reactor, path: options.rpcSocketPath, dispatcher: dispatcher)
      if let port = options.metricsPort {
        served.metrics = try MetricsServer(reactor: reactor, port: port) {
          Metrics.text(of: service, calls: dispatcher.callCounts)
        }
        logger.notice(
          "metrics are served", metadata: ["url": "http://127.0.0.1:\(served.metrics?.port ?? port)/metrics"])
      }
    }
    try await listenForExports()
    await keeper.apply(.startup)
    // Nobody is to find a daemon in the wrong phase who was not told to look for it.
    if !options.waitsForRPC { _ = service.lifecycle.start() }
    try await control.handle.perform { _ in served.server?.serve() }
    logger.notice(
      "JSON-RPC is served",
      metadata: ["socket": "\(options.rpcSocketPath)", "reactors": "\(options.reactorCount)"])
    if !options.waitsForRPC { await service.configure() }
    ProgramPages.release()
  }

  private func listenForExports() async throws(ExportSocketError) {
    do throws(TLSConfigurationError) {
      try service.exports.secure(options.nbdSecurity)
    } catch {
      throw ExportSocketError(option: "TLS for NBD", reason: "\(error)")
    }
    if let path = options.nbdSocketPath {
      guard let address = SocketAddress(unixPath: path) else {
        throw ExportSocketError(
          option: "--nbd-socket '\(path)'",
          reason: "a socket's path has 1 to \(SocketAddress.maximumPathByteCount) bytes")
      }
      try await listenForExports(at: address, "--nbd-socket '\(path)'")
    }
    if let port = options.nbdPort {
      guard let address = SocketAddress(numericHost: options.nbdAddress, port: port) else {
        throw ExportSocketError(
          option: "--nbd-address '\(options.nbdAddress)'", reason: "not a numeric IPv4 or IPv6 address")
      }
      try await listenForExports(at: address, "--nbd-port \(port)")
    }
  }

  private func listenForExports(at address: SocketAddress, _ option: String) async throws(ExportSocketError) {
    do {
      try await service.exports.listen(on: address)
    } catch {
      throw ExportSocketError(option: option, reason: "\(error)")
    }
  }

  /// Makes the daemon what its configuration file asks for and it is not yet; reads the files of TLS again.
  public func reload() async {
    do throws(TLSConfigurationError) {
      try service.exports.secure(options.nbdSecurity)
    } catch {
      logger.error(
        "the files of TLS could not be read again: what was read before stays", metadata: ["error": "\(error)"])
    }
    do throws(ConfigurationFileError) {
      try await keeper.applyMissing()
      logger.notice("the configuration was read again")
    } catch {
      logger.error("the configuration could not be read again", metadata: ["error": "\(error)"])
    }
  }

  /// Ends: takes no more calls, lets go of devices and controllers in order, and stops the threads.
  public func stop() async {
    await keeper.stop()
    await service.shutDown()
    let served = served
    await withCheckedContinuation { continuation in
      let isPosted = control.handle.post { _ in
        served.metrics?.close()
        served.metrics = nil
        guard let server = served.server else { return continuation.resume() }
        served.server = nil
        server.close { continuation.resume() }
      }
      if !isPosted { continuation.resume() }
    }
    await keeper.close()
    for reactor in reactors { reactor.stop() }
    control.stop()
    logger.notice("the daemon has ended")
  }
}
