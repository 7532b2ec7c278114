import BlockDevice
import Glibc

/// The devices of `nvmeof export`: opened on the reactors that serve them, closed in good order.
struct ExportedDevices {
  private let threads: [ReactorThread]
  private let host: HostOptions
  private var controllers: [Controller] = []

  var reactors: [ReactorHandle] { threads.map(\.handle) }

  init(reactorCount: Int, waitPolicy: WaitPolicy, host: HostOptions) throws(ToolError) {
    self.host = host
    var threads: [ReactorThread] = []
    do throws(RingError) {
      for number in 1...reactorCount {
        threads.append(try ReactorThread(name: "nvmeof-\(number)", waitPolicy: waitPolicy))
      }
    } catch { throw .local("\(error)") }
    self.threads = threads
  }

  mutating func open(_ place: ExportPlace, isReadOnly: Bool) async throws(ToolError) -> any BlockDevice {
    let reactor = threads[0].handle
    switch place {
    case .namespace(let target):
      return try await attach(target)
    case .memory(let byteCount, let blockByteCount):
      do throws(RingError) {
        return try MemoryBlockDevice(
          blockByteCount: blockByteCount, blockCount: byteCount / UInt64(blockByteCount), reactor: reactor)
      } catch { throw .local("\(error)") }
    case .file(let path, let byteCount, let blockByteCount, let isFileReadOnly):
      let isWritable = !isReadOnly && !isFileReadOnly
      let device: FileBlockDevice
      do throws(RingError) {
        device = try FileBlockDevice(
          path: path, blockByteCount: blockByteCount, isWritable: isWritable, creatingByteCount: byteCount,
          reactor: reactor)
      } catch .systemCall("open \(path)", EACCES) where isWritable && byteCount == nil {
        throw .local("\(path) may not be written: \(errorText(EACCES)); --read-only serves it as it is")
      } catch { throw .local("\(error)") }
      if device.unservedByteCount > 0 {
        Console.note(
          "nvmeof: \(path): the last \(device.unservedByteCount) bytes are less than a block of \(blockByteCount), "
            + "and not served")
      }
      return device
    }
  }

  /// A namespace that survives a lost connection: its requests are held until it is back, for ten minutes at most.
  private mutating func attach(_ target: TargetIdentifier) async throws(ToolError) -> any BlockDevice {
    var configuration = try host.configuration(for: target)
    configuration.queueCount = max(configuration.queueCount, threads.count)
    configuration.recovery = .standard
    let controller = Controller(
      transport: try host.transport(for: target), configuration: configuration, home: threads[0].handle,
      queueReactors: reactors)
    controllers.append(controller)
    controller.connect()
    do throws(ControllerError) { try await controller.ready() } catch {
      throw ToolError(error, target: target.hostAndPort)
    }
    let granted = controller.snapshot.queueCount
    guard granted >= threads.count else {
      throw ToolError(
        .deviceError,
        "\(target.hostAndPort): the controller grants \(granted) I/O queues, and each reactor needs one: give --reactors \(granted)"
      )
    }
    let identifier = try controller.namespaceIdentifier(target.namespaceIdentifier)
    // It says more clearly what is wrong with a namespace that cannot be used.
    _ = try controller.device(identifier)
    let device = MultipathBlockDevice(
      subsystemNQN: target.subsystemNQN, namespaceIdentifier: identifier, reactor: threads[0].handle)
    do throws(MultipathPathError) { try device.addPath(controller) } catch { throw .local("\(error)") }
    _ = device.addObserver { [weak device] event in
      if let device { Self.take(event, of: device) }
    }
    return device
  }

  /// Who serves is told when its requests wait, and why. A namespace that its controller does not have any more does not come
  /// back as what it was: the device ends.
  private static func take(_ event: MultipathEvent, of device: MultipathBlockDevice) {
    switch event {
    case .pathUnavailable(_, let obstacle):
      Console.note("nvmeof: \(device.name): \(obstacle)")
      switch obstacle {
      case .namespaceMissing, .namespaceMismatch: device.close()
      default: break
      }
    case .pathAvailable: Console.note("nvmeof: \(device.name): the controller is back")
    default: break
    }
  }

  /// Ends all associations in good order, and the threads.
  mutating func close() async {
    await disconnect()
    for thread in threads { thread.stop() }
  }

  /// Ends all associations in good order: what was asked of a controller has ended then.
  mutating func disconnect() async {
    for controller in controllers { await controller.disconnect() }
    controllers = []
  }
}
