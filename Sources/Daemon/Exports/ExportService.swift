package import BlockExport
internal import Glibc
package import JSONRPC
package import Logging
package import NBDServer
package import RingReactor
internal import Synchronization
package import TLS

/// The block devices that others use: over the daemon's own NBD sockets, each under its name, or each over a socket of its
/// own. An export lasts as long as its device is registered.
///
/// Any thread may call; nothing waits for a client but the end of an export.
package final class ExportService: Sendable {
  private struct Shared {
    var served: [ServedDevice] = []
    /// Sockets that are being opened or closed: nobody else may open them.
    var pendingPaths: Set<String> = []
    var isStopping = false
  }

  private let devices: DeviceRegistry
  /// All NBD sockets' clients together.
  package let budget: NBDBudget
  /// What the daemon's own sockets serve.
  private let table = ExportTable()
  private let server: NBDServer
  private let configuration: NBDServerConfiguration
  private let logger: Logger
  private let shared = Mutex(Shared())

  package init(
    devices: DeviceRegistry, budget: NBDBudget, configuration: NBDServerConfiguration = NBDServerConfiguration(),
    logger: Logger
  ) {
    self.devices = devices
    self.budget = budget
    self.configuration = configuration
    self.logger = logger
    server = NBDServer(exports: table, budget: budget, configuration: configuration, logger: logger)
    _ = devices.addObserver { [weak self] event in
      switch event {
      case .registered: break
      case .resized(let device): self?.served(of: device).forEach { $0.export.refresh() }
      case .unregistered(let device): self?.lose(device)
      }
    }
  }

  /// In the order of coming.
  package var served: [ServedDevice] { shared.withLock { $0.served } }

  /// Serves the daemon's exports at one more address.
  ///
  /// - Throws: ``RingError`` naming the system call.
  package func listen(on address: SocketAddress) async throws {
    try await server.listen(on: address)
  }

  /// Reads the files of TLS; clients that come from now on find what is in them. The daemon's own sockets have TLS, those of
  /// single devices have their mode.
  package func secure(_ options: NBDServerSecurity.Options) throws(TLSConfigurationError) {
    let security = try options.load()
    if let complaint = security.context?.certificate?.complaint {
      logger.warning("clients will refuse the server", metadata: ["error": "\(complaint)"])
    }
    server.security = security
  }

  // MARK: Under a name

  /// Of the daemon's own sockets this is the default export, from when it comes on, however late: not the first that happens to
  /// come. For the start.
  func reserveDefault(_ name: String) { table.reserveDefault(name) }

  /// Exports a device over the daemon's own sockets.
  package func start(
    device name: String, _ configuration: ExportConfiguration
  ) throws(RPCError) -> ServedDevice {
    guard !server.addresses.isEmpty else {
      throw RPCError(
        code: -1,
        message: "No NBD socket: start nvmeofd with --nbd-socket or --nbd-port, or give the device a socket of its own "
          + "by nbd_start_disk")
    }
    let (device, export) = try make(name, configuration)
    do throws(ExportError) {
      try table.add(export)
    } catch {
      throw .system(error.field == "name" ? EEXIST : ENODEV, detail: error.description)
    }
    let served = ServedDevice(export: export, device: device, socketPath: nil, server: server)
    try keep(served)
    return served
  }

  /// Ends an export, and waits until its clients are gone.
  package func stop(name: String) async throws(RPCError) {
    guard let served = take({ $0.socketPath == nil && $0.export.name == name }) else { throw .system(ENOENT) }
    served.export.end(.removed)
    await served.export.drained()
  }

  // MARK: On a socket of its own

  /// Exports a device over a Unix-domain socket of its own, under its name and as the default export.
  ///
  /// - Parameter path: absolute. The socket of a server that is gone is replaced.
  package func startDisk(device name: String, path: String) async throws(RPCError) {
    guard !path.hasPrefix("/dev/nbd") else {
      throw .system(
        ENODEV, detail: "\(path): the kernel's NBD devices are not served; give the path of a Unix-domain socket")
    }
    guard path.hasPrefix("/"), let address = SocketAddress(unixPath: path) else {
      throw .invalidArgument("nbd_device: not an absolute path that a Unix-domain socket may have: \(path)")
    }
    let (device, export) = try make(name, ExportConfiguration(name: name))
    let isFree = shared.withLock { shared in
      !shared.served.contains { $0.socketPath == path } && shared.pendingPaths.insert(path).inserted
    }
    guard isFree else { throw .system(EBUSY, detail: "\(path) serves a device already") }
    defer { _ = shared.withLock { $0.pendingPaths.remove(path) } }
    let table = ExportTable()
    let server = NBDServer(exports: table, budget: budget, configuration: configuration, logger: logger)
    do {
      try table.add(export)
      try await server.listen(on: address)
    } catch {
      if case .systemCall(_, let code) = error as? RingError { throw .system(code, detail: "\(error)") }
      throw .system(EIO, detail: "\(error)")
    }
    let served = ServedDevice(export: export, device: device, socketPath: path, server: server)
    do throws(RPCError) {
      try keep(served)
    } catch {
      await server.stop()
      throw error
    }
  }

  /// Ends the export on a socket, and removes the socket.
  package func stopDisk(path: String) async throws(RPCError) {
    guard let served = take({ $0.socketPath == path }) else { throw .noSuchDevice }
    await close(served, .removed)
  }

  // MARK: The end

  /// How long clients may take at the end; beyond that only devices do.
  package var stopPatience: Duration { configuration.endPatience }

  /// Ends all exports, and waits until their clients are gone, and devices have done with what those asked for.
  package func stop() async {
    let served = shared.withLock { shared in
      shared.isStopping = true
      defer { shared.served = [] }
      return shared.served
    }
    for one in served { one.export.end(.shutdown) }
    await withTaskGroup(of: Void.self) { group in
      for one in served where one.socketPath != nil { group.addTask { await one.server.stop() } }
      group.addTask { [server] in await server.stop() }
    }
  }

  private func make(
    _ name: String, _ configuration: ExportConfiguration
  ) throws(RPCError) -> (RegisteredDevice, Export) {
    guard let device = devices.device(named: name) else { throw .noSuchDevice }
    do throws(ExportError) {
      return (device, try Export(device: device.device, configuration: configuration))
    } catch {
      var error = error
      // As the interface calls it.
      if error.field == "maximumTransferByteCount" { error.field = "max_transfer_bytes" }
      throw .invalidArgument(error.description)
    }
  }

  /// Puts an export down, unless its device has gone meanwhile, or the daemon is about to.
  private func keep(_ served: ServedDevice) throws(RPCError) {
    let isKept = shared.withLock { shared in
      guard !shared.isStopping else { return false }
      shared.served.append(served)
      return true
    }
    guard isKept else {
      served.export.end(.shutdown)
      throw .system(ESHUTDOWN)
    }
    if devices.device(named: served.device.name) !== served.device {
      lose(served.device)
      throw .noSuchDevice
    }
  }

  private func served(of device: RegisteredDevice) -> [ServedDevice] { served.filter { $0.device === device } }

  private func take(_ isMeant: (ServedDevice) -> Bool) -> ServedDevice? {
    shared.withLock { shared in
      guard let index = shared.served.firstIndex(where: isMeant) else { return nil }
      let served = shared.served.remove(at: index)
      if let path = served.socketPath { shared.pendingPaths.insert(path) }
      return served
    }
  }

  private func lose(_ device: RegisteredDevice) {
    while let served = take({ $0.device === device }) {
      served.export.end(.deviceGone)
      if served.socketPath != nil { Task { await close(served, .deviceGone) } }
    }
  }

  private func close(_ served: ServedDevice, _ reason: ExportEndReason) async {
    served.export.end(reason)
    await served.server.stop()
    _ = shared.withLock { shared in served.socketPath.map { shared.pendingPaths.remove($0) } }
  }
}
