internal import BlockDevice
internal import EmbeddedTarget

/// Opens what `filename` names.
public enum TargetOpener {
  /// Why a target could not be opened.
  public struct Failure: Error, CustomStringConvertible {
    public var description: String
  }

  /// - Parameters:
  ///   - target: as in `filename`; nil is the embedded target.
  ///   - paths: how it is reached; jobs on it may have timers and policies of their own.
  /// - Throws: ``Failure``, or what connecting throws.
  public static func open(_ target: String?, _ paths: PathOptions) throws -> any BenchmarkDevice {
    guard let target, !target.isEmpty else { return try embedded(1 << 30, paths, isAsked: false) }
    if let size = argument(of: target, "embedded") {
      return try embedded(try bytes(size, target), paths, isAsked: true)
    }
    if paths.isWanted, !TargetIdentifier.isMeant(by: target) {
      throw Failure(description: "filename=\(target): paths and their timers are for targets over the network")
    }
    if let size = argument(of: target, "null") { return NullDevice(capacityBytes: try bytes(size, target)) }
    if let size = argument(of: target, "memory") { return try memory(try bytes(size, target)) }
    if TargetIdentifier.isMeant(by: target) {
      let identifier = try TargetIdentifier(parsing: target)
      guard !identifier.isDiscovery else {
        throw Failure(description: "filename=\(target): the subsystem's NQN is missing; write nvme+tcp://HOST:PORT/NQN")
      }
      // Targets that let only some hosts in know them by their lasting identity.
      let identity = try HostIdentity.resolve(hostNQN: identifier.hostNQN, hostIdentifier: identifier.hostIdentifier)
      var notes: [String] = []
      if let count = identifier.queueCount, count > 1 {
        notes.append("\(target): every job has one queue; for more give connections=\(count), or numjobs for threads")
      }
      return try network(identifier, paths, identity: identity, name: target, notes: notes)
    }
    return try file(target)
  }

  private static func network(
    _ identifier: TargetIdentifier, _ paths: PathOptions, identity: HostIdentity, name: String, notes: [String],
    whenClosed: @escaping @Sendable () -> Void = {}
  ) throws -> any BenchmarkDevice {
    let target = NVMeTarget(identifier, identity: identity)
    // Connect once to learn the size, before any job is placed.
    let reactor = try Reactor()
    let probe = try target.connect(on: reactor, depth: 2, paths: paths)
    let geometry = probe.device.geometry
    probe.detach(reactor)
    return BlockDeviceBenchmark(name: name, geometry: geometry, notes: notes, whenClosed: whenClosed) {
      reactor, setup in
      try target.connect(on: reactor, depth: Int(setup.options.depth), paths: setup.options.paths)
    }
  }

  private static func embedded(
    _ byteCount: UInt64, _ paths: PathOptions, isAsked: Bool
  ) throws -> any BenchmarkDevice {
    guard paths.addresses.isEmpty else {
      throw Failure(
        description: "paths: the embedded target has one address; start 'nvmeof target' with several --port")
    }
    let nqn = "nqn.2014-08.org.nvmexpress:nvmeof-bench:embedded"
    let (target, port) = try BlockingTask.run {
      let target = try await EmbeddedTarget.start()
      try await target.addSubsystem(
        SubsystemConfiguration(nqn: nqn, namespace: .memory(byteCount: byteCount / 4096 * 4096)))
      return (target, try await target.addPort())
    }
    let note =
      (isAsked ? "" : "no filename given: ")
      + "embedded target with \(Formatting.binaryBytes(byteCount)) of memory in a thread of this process, "
      + "over TCP on \(port.host):\(port.port); jobs and target share this machine's processors"
    return try network(
      TargetIdentifier(host: port.host, port: port.port, subsystemNQN: nqn), paths, identity: .random(),
      name: "embedded:\(byteCount)", notes: [note],
      whenClosed: { try? BlockingTask.run { await target.stop() } })
  }

  private static func argument(of target: String, _ kind: String) -> Substring? {
    target == kind ? "" : target.hasPrefix(kind + ":") ? target.dropFirst(kind.count + 1) : nil
  }

  /// 1 GiB when no size is given.
  private static func bytes(_ text: Substring, _ target: String) throws(Failure) -> UInt64 {
    guard !text.isEmpty else { return 1 << 30 }
    do throws(OptionValueError) {
      let value = try ValueParser.size(text)
      guard value >= 4096, value <= 1 << 50 else { throw OptionValueError("a size from 4k to 1024t") }
      return value
    } catch {
      throw Failure(description: "filename=\(target): expected \(error.expected)")
    }
  }

  /// Devices need a reactor for their own `async` face, which no job uses: each job has its own.
  private static func idleReactor() throws -> Reactor { try Reactor(submissionEntries: 8, completionEntries: 16) }

  private static func memory(_ byteCount: UInt64) throws -> any BenchmarkDevice {
    let device = try MemoryBlockDevice(
      blockByteCount: 512, blockCount: byteCount / 512, reactor: try idleReactor().handle)
    return BlockDeviceBenchmark(name: "memory:\(byteCount)", geometry: device.geometry) { _, _ in
      AttachedDevice(device: device, detach: { _ in })
    }
  }

  private static func file(_ path: String) throws -> any BenchmarkDevice {
    let handle = try idleReactor().handle
    let device: FileBlockDevice
    do throws(RingError) {
      device = try FileBlockDevice(path: path, blockByteCount: 512, reactor: handle)
    } catch {
      device = try FileBlockDevice(path: path, blockByteCount: 512, isWritable: false, reactor: handle)
    }
    let rest = device.unservedByteCount
    let notes = rest == 0 ? [] : ["\(path): the last \(rest) bytes are less than a block of 512, and not used"]
    return BlockDeviceBenchmark(name: path, geometry: device.geometry, notes: notes) { _, _ in
      AttachedDevice(device: device, detach: { _ in })
    }
  }
}
