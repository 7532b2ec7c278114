import ArgumentParser
import BlockDevice
import EmbeddedTarget
import Logging

/// `nvmeof target`.
struct TargetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target",
    abstract: "Serve namespaces with the embedded target, for tests, demonstrations and benchmarks.",
    discussion: """
      The embedded target is not for data that matters: what is in memory is gone when it ends, there is no \
      security, and it lives on one thread. It serves until SIGINT or SIGTERM.

      A namespace is memory:SIZE, null:SIZE (reads as zeroes, swallows writes) or file:PATH, then :BLOCKSIZE \
      (default 512), then ,group=N for its ANA group and ,ro for read-only. A file is made when a size is given: \
      file:PATH:SIZE:BLOCKSIZE. Namespaces are numbered from 1 on in the order given.

      EXAMPLES
        nvmeof target
        nvmeof target --namespace memory:64M:512 --namespace file:disk.img:4096 --port 4420
        nvmeof target --address 0.0.0.0 --nqn nqn.2014-08.org.example:disk --namespace null:1G
        nvmeof target --namespace memory:64M,group=2 --ana 2=inaccessible
        nvmeof target --port 0 -o json | head -n 1

      """ + ExitStatus.help)

  static let defaultNQN = "nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264"

  @Option(
    name: .customLong("namespace"), parsing: .singleValue,
    help: ArgumentHelp("A namespace to serve; may be repeated (default memory:64M:512)", valueName: "specification"),
    transform: { text throws in
      do throws(ToolError) { return try NamespaceSpecification(parsing: text) } catch {
        throw ValidationError(error.description)
      }
    })
  var namespaces: [NamespaceSpecification] = []

  @Option(help: "A numeric address to listen on")
  var address = "127.0.0.1"

  @Option(help: "The port to listen on; 0: any that is free")
  var port: UInt16 = 4420

  @Option(
    name: [.customShort("n"), .customLong("nqn")], help: ArgumentHelp("The subsystem's NQN", valueName: "nqn"))
  var subsystemNQN = Self.defaultNQN

  @Option(
    name: .customLong("allow-host"), parsing: .singleValue,
    help: ArgumentHelp("A host NQN that may connect; may be repeated (default: any)", valueName: "nqn"))
  var allowedHosts: [String] = []

  @Option(
    name: .customLong("ana"), parsing: .singleValue,
    help: ArgumentHelp(
      "GROUP=STATE: optimized, non-optimized, inaccessible, persistent-loss or change; may be repeated",
      valueName: "group=state"))
  var accessStates: [AccessStateSpecification] = []

  @Flag(help: "Grant no header digests")
  var noHdrDigest = false

  @Flag(help: "Grant no data digests")
  var noDataDigest = false

  @Option(help: ArgumentHelp("Bytes of data in a command's capsule, a multiple of 16", valueName: "size"))
  var inCapsuleData: ByteCount?

  @Option(help: ArgumentHelp("Entries of a queue, 2 to 4096", valueName: "count"))
  var queueEntries: Int?

  @Option(help: ArgumentHelp("I/O queues of a controller, 1 to 1024", valueName: "count"))
  var ioQueues: Int?

  @Flag(name: .shortAndLong, help: "Tell of connections, refusals and broken rules on standard error")
  var verbose = false

  @Option(
    name: [.customShort("o"), .customLong("output-format"), .customLong("output")],
    help: ArgumentHelp("normal, or json: one line that tells where the target is", valueName: "format"))
  var format = OutputFormat.normal

  func validate() throws {
    if format == .binary { throw ValidationError("target has no binary output") }
    for nqn in [subsystemNQN] + allowedHosts {
      if let problem = NVMeQualifiedName.problem(with: nqn) { throw ValidationError("NQN \"\(nqn)\": \(problem)") }
    }
    if SocketAddress(numericHost: address, port: port) == nil {
      throw ValidationError("--address is a numeric IPv4 or IPv6 address, not \"\(address)\"")
    }
    if let inCapsuleData, inCapsuleData.value > 1 << 20 { throw ValidationError("--in-capsule-data is at most 1 MiB") }
  }

  func run() async throws {
    let (target, port) = try await start()
    show(port)
    _ = await Interrupts.next()
    await target.stop()
  }

  private func start() async throws(ToolError) -> (EmbeddedTarget, EmbeddedTarget.Port) {
    var configuration = TargetConfiguration()
    configuration.allowsHeaderDigest = !noHdrDigest
    configuration.allowsDataDigest = !noDataDigest
    if let inCapsuleData { configuration.inCapsuleDataByteCount = Int(inCapsuleData.value) }
    if let queueEntries { configuration.maximumQueueEntries = queueEntries }
    if let ioQueues { configuration.maximumIOQueues = ioQueues }
    var logger: Logger?
    if verbose {
      logger = Logger(label: "target") { StreamLogHandler.standardError(label: $0) }
      logger?.logLevel = .info
    }
    do {
      let target = try await EmbeddedTarget.start(configuration: configuration, logger: logger)
      var subsystem = SubsystemConfiguration(nqn: subsystemNQN)
      if !allowedHosts.isEmpty { subsystem.allowedHosts = Set(allowedHosts) }
      for (index, namespace) in served.enumerated() {
        subsystem.namespaces[UInt32(index + 1)] = namespace.configuration
      }
      try await target.addSubsystem(subsystem)
      let port = try await target.addPort(PortConfiguration(host: address, port: port))
      for access in accessStates {
        try await target.setANAState(access.state, group: access.group, port: port.identifier)
      }
      return (target, port)
    } catch let error as TargetError {
      throw .usage(error.description)
    } catch {
      throw .local("the target could not be started: \(error)")
    }
  }

  private var served: [NamespaceSpecification] {
    if !namespaces.isEmpty { return namespaces }
    return NamespaceSpecification(argument: "memory:64M:512").map { [$0] } ?? []
  }

  private func show(_ port: EmbeddedTarget.Port) {
    var place = TargetIdentifier(host: port.host, port: port.port, subsystemNQN: subsystemNQN)
    let discovery = TargetIdentifier(host: port.host, port: port.port)
    let uris = served.indices.map { index in
      place.namespaceIdentifier = UInt32(index + 1)
      return place.uri
    }
    if format == .json {
      // One line, so that a script can read it while the target runs.
      let document: JSONValue = [
        "host": .string(port.host), "port": .integer(port.port), "nqn": .string(subsystemNQN),
        "discovery": .string(discovery.uri),
        "namespaces": .array(uris.map { .string($0) }),
      ]
      Console.print(document.line)
      return
    }
    Console.print("embedded target, for tests, demonstrations and benchmarks: no security, data in memory is not kept")
    Console.print("listening on \(discovery.hostAndPort)")
    for (uri, namespace) in zip(uris, served) { Console.print("  \(uri)\n    \(namespace.summary)") }
    Console.print("  \(discovery.uri)\n    discovery")
    Console.print("Ctrl-C ends it")
  }
}
