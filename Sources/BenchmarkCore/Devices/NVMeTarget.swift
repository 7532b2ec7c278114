internal import BlockDevice

/// A namespace over the network. Every job makes an association of its own, whose admin and I/O queue live on the job's
/// reactor: no thread touches another's queue, and numjobs adds connections as it adds load.
struct NVMeTarget: Sendable {
  let address: TargetAddress
  private let hostNQN: String
  private let hostIdentifier: Identifier128

  /// A controller may take its connection's timeouts and CAP.TO to come up.
  private static let readyLimit: UInt64 = 60_000_000_000
  private static let closeLimit: UInt64 = 15_000_000_000

  init(_ address: TargetAddress) {
    self.address = address
    // A random UUID (RFC 9562 version 4): a benchmark leaves nothing behind at the target that would need the same name.
    let random = Identifier128(
      high: UInt64.random(in: .min ... .max) & 0xffff_ffff_ffff_0fff | 0x4000,
      low: UInt64.random(in: .min ... .max) & 0x3fff_ffff_ffff_ffff | 1 << 63)
    hostIdentifier = address.hostIdentifier ?? random
    hostNQN = address.hostNQN ?? "nqn.2014-08.org.nvmexpress:uuid:\(hostIdentifier.uuidString)"
  }

  private var place: String { "\(address.host):\(address.port)" }

  /// Connects on `reactor`, whose thread this is. `depth` is the queue depth wished for.
  func connect(on reactor: Reactor, depth: Int) throws -> AttachedDevice {
    var options = TCPTransportOptions()
    options.headerDigest = address.headerDigest
    options.dataDigest = address.dataDigest
    var configuration = ControllerConfiguration(
      subsystemNQN: address.subsystemNQN, hostNQN: hostNQN, hostIdentifier: hostIdentifier)
    configuration.queueCount = 1
    configuration.queueDepth = min(max(depth, 2), 4095)
    let controller = Controller(
      transport: TCPTransport(host: address.host, port: address.port, options: options),
      configuration: configuration, home: reactor.handle)
    controller.connect()
    let isSettled = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + Self.readyLimit) {
      switch controller.condition {
      case .idle, .connecting: true
      case .ready, .closing, .closed: false
      }
    }
    guard isSettled, case .ready = controller.condition else {
      if case .closed(let error?) = controller.condition {
        throw TargetOpener.Failure(description: "\(place): \(error)")
      }
      disconnect(controller, reactor)
      throw TargetOpener.Failure(description: "\(place): the controller did not become ready within 60 s")
    }
    let found: NVMeBlockDevice?
    if let identifier = address.namespaceIdentifier {
      found = controller.blockDevice(namespaceIdentifier: identifier)
    } else {
      found = controller.blockDevices().first
    }
    guard let device = found else {
      let reason = problem(controller)
      disconnect(controller, reactor)
      throw TargetOpener.Failure(description: "\(place), \(address.subsystemNQN): \(reason)")
    }
    let granted = controller.snapshot.queueDepth
    var note: String?
    if granted < depth {
      note =
        "\(address.subsystemNQN) takes \(granted) commands on a queue; iodepth=\(depth) waits in the host beyond that"
    }
    return AttachedDevice(device: device, detach: { disconnect(controller, $0) }, note: note)
  }

  private func problem(_ controller: Controller) -> String {
    let namespaces = controller.snapshot.namespaces
    guard let identifier = address.namespaceIdentifier else { return "it has no namespace that can be used" }
    if let reason = namespaces[identifier]?.unusableReason { return "namespace \(identifier): \(reason)" }
    let known = namespaces.keys.sorted().map(String.init).joined(separator: ", ")
    return "there is no namespace \(identifier)" + (known.isEmpty ? "" : "; there are: \(known)")
  }

  private func disconnect(_ controller: Controller, _ reactor: Reactor) {
    controller.shutdown()
    _ = reactor.turn(untilNanoseconds: MonotonicClock.nanoseconds() + Self.closeLimit) {
      switch controller.condition {
      case .idle, .closed: false
      case .connecting, .ready, .closing: true
      }
    }
  }
}
