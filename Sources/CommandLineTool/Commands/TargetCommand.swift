import ArgumentParser
import BlockDevice
import EmbeddedTarget
import Glibc
import JSON
import Logging
import ToolSupport

/// `nvmeof target`.
struct TargetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "target",
    abstract: "Serve namespaces with the embedded target, for tests, demonstrations and benchmarks.",
    discussion: """
      The embedded target is not for data that matters: what is in memory is gone when it ends, there is no \
      security, and it lives on one thread. It serves until SIGINT or SIGTERM, or until standard input says quit.

      A namespace is memory:SIZE, null:SIZE (reads as zeroes, swallows writes) or file:PATH, then :BLOCKSIZE \
      (default 512), then ,group=N for its ANA group and ,ro for read-only. A file is made when a size is given: \
      file:PATH:SIZE:BLOCKSIZE; one that is there has to be of that size. Namespaces are numbered from 1 on in the order given, or by ,nsid=N. With several \
      --nqn, ,subsystem=N has a namespace belong to the Nth.

      Every subsystem is reached through every port. An ANA group's state is set through all ports, or through one \
      named by its number, or by its place (1, 2, ...) in the order of --port.

      While it runs, lines of standard input change it; each is answered by a line, with -o json by a JSON object \
      that has "ok". The end of the input does not end the target.

      """
        + ControlCommand.helpText.split(separator: "\n").map { "  \($0)\n" }.joined() + """

          EXAMPLES
            nvmeof target
            nvmeof target --namespace memory:64M:512 --namespace file:disk.img:4096 --port 4420
            nvmeof target --address 0.0.0.0 --nqn nqn.2014-08.org.example:disk --namespace null:1G
            nvmeof target --port 4420 --port 4421 --namespace memory:64M,group=2 --ana 4421:2=inaccessible
            nvmeof target --nqn nqn.2014-08.org.example:a --nqn nqn.2014-08.org.example:b \\
              --namespace memory:64M --namespace memory:1G:4096,subsystem=2
            nvmeof target --port 0 -o json | head -n 1
            printf '%s\\n' 'namespace resize 1 128M' 'faults add io:read delay=50ms' | nvmeof target

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

  @Option(
    name: .customLong("port"), parsing: .singleValue,
    help: ArgumentHelp("A port to listen on, 0: any that is free; may be repeated (default 4420)", valueName: "port"))
  var givenPorts: [UInt16] = []

  @Option(
    name: [.customShort("n"), .customLong("nqn")], parsing: .singleValue,
    help: ArgumentHelp("A subsystem's NQN; may be repeated (default: one of this tool's own)", valueName: "nqn"))
  var givenNQNs: [String] = []

  @Option(
    name: .customLong("allow-host"), parsing: .singleValue,
    help: ArgumentHelp("A host NQN that may connect; may be repeated (default: any)", valueName: "nqn"))
  var allowedHosts: [String] = []

  @Option(
    name: .customLong("ana"), parsing: .singleValue,
    help: ArgumentHelp(
      "[PORT:]GROUP=STATE: optimized, non-optimized, inaccessible, persistent-loss or change; may be repeated",
      valueName: "port:group=state"))
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
    help: ArgumentHelp(
      "normal, or json: a line that tells where the target is, then one for each line of input", valueName: "format"))
  var format = OutputFormat.normal

  func validate() throws {
    if format == .binary { throw ValidationError("target has no binary output") }
    for nqn in subsystems + allowedHosts {
      if let problem = NVMeQualifiedName.problem(with: nqn) { throw ValidationError("NQN \"\(nqn)\": \(problem)") }
    }
    if SocketAddress(numericHost: address, port: 0) == nil {
      throw ValidationError("--address is a numeric IPv4 or IPv6 address, not \"\(address)\"")
    }
    if let twice = Self.duplicate(givenNQNs) { throw ValidationError("--nqn \(twice) is given twice") }
    if let twice = Self.duplicate(givenPorts.filter { $0 != 0 }) {
      throw ValidationError("--port \(twice) is given twice")
    }
    for namespace in namespaces where namespace.subsystem > subsystems.count {
      throw ValidationError(
        "--namespace …,subsystem=\(namespace.subsystem): --nqn is given for \(subsystems.count) of them")
    }
    if let inCapsuleData, inCapsuleData.value > 1 << 20 || inCapsuleData.value % 16 != 0 {
      throw ValidationError("--in-capsule-data is a multiple of 16 up to 1 MiB, not \(inCapsuleData)")
    }
    if let queueEntries, !(2...4096).contains(queueEntries) {
      throw ValidationError("--queue-entries is 2 to 4096, not \(queueEntries)")
    }
    if let ioQueues, !(1...1024).contains(ioQueues) {
      throw ValidationError("--io-queues is 1 to 1024, not \(ioQueues)")
    }
  }

  private static func duplicate<Value: Hashable>(_ values: [Value]) -> Value? {
    var seen: Set<Value> = []
    return values.first { !seen.insert($0).inserted }
  }

  private var ports: [UInt16] { givenPorts.isEmpty ? [4420] : givenPorts }
  private var subsystems: [String] { givenNQNs.isEmpty ? [Self.defaultNQN] : givenNQNs }

  /// The namespaces of each subsystem, by their identifiers.
  ///
  /// - Throws: ``ToolError`` when two want the same identifier.
  func served() throws(ToolError) -> [[UInt32: NamespaceSpecification]] {
    var result = subsystems.map { _ in [UInt32: NamespaceSpecification]() }
    var wanted = namespaces
    if wanted.isEmpty {
      for number in 1...subsystems.count {
        var namespace = try NamespaceSpecification(parsing: "memory:64M:512")
        namespace.subsystem = number
        wanted.append(namespace)
      }
    }
    // Those with a number of their own first: the others take what is free.
    for namespace in wanted.filter({ $0.identifier != nil }) + wanted.filter({ $0.identifier == nil }) {
      let place = namespace.subsystem - 1
      let identifier = namespace.identifier ?? NamespaceSpecification.freeIdentifier(beside: Set(result[place].keys))
      guard result[place].updateValue(namespace, forKey: identifier) == nil else {
        throw .usage("--namespace: \(subsystems[place]) has two of nsid=\(identifier)")
      }
    }
    return result
  }

  func run() async throws {
    // A target in the background of a terminal is not to be stopped for trying to read from it.
    signal(SIGTTIN, SIG_IGN)
    // Looked at before anything else is opened: a closed standard input's number would be taken by it.
    let hasInput = fcntl(STDIN_FILENO, F_GETFD) >= 0
    let served = try served()
    let (target, ports) = try await start(served)
    let signals = Interrupts.first()
    show(ports, served)
    if hasInput {
      let control = TargetControl(
        target: target, ports: ports, subsystems: subsystems, identifiers: served.map { Set($0.keys) })
      let format = format
      Task { await Self.obey(control, format) }
    }
    for await _ in signals {}
    await target.stop()
  }

  /// Answers lines of standard input until they end.
  private static func obey(_ control: TargetControl, _ format: OutputFormat) async {
    let input = ControlInput()
    while let line = await input.next() {
      do throws(ToolError) {
        guard let command = try ControlCommand(parsing: line) else { continue }
        await control.answer(command).show(format)
        // The same way out as for a signal from outside. To the process: threads that run tasks hold signals back.
        if command == .quit { kill(getpid(), SIGTERM) }
      } catch {
        ControlAnswer.failed(error.description).show(format)
      }
    }
  }

  private func start(_ served: [[UInt32: NamespaceSpecification]]) async throws(ToolError) -> (
    EmbeddedTarget, [EmbeddedTarget.Port]
  ) {
    var configuration = TargetConfiguration()
    configuration.allowsHeaderDigest = !noHdrDigest
    configuration.allowsDataDigest = !noDataDigest
    if let inCapsuleData { configuration.inCapsuleDataByteCount = Int(inCapsuleData.value) }
    if let queueEntries { configuration.maximumQueueEntries = queueEntries }
    if let ioQueues { configuration.maximumIOQueues = ioQueues }
    var logger = Logger(label: "target") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = verbose ? .info : .warning
    do {
      let target = try await EmbeddedTarget.start(configuration: configuration, logger: logger)
      for (index, nqn) in subsystems.enumerated() {
        var subsystem = SubsystemConfiguration(nqn: nqn)
        // Hosts take subsystems of the same serial number and model for one.
        let number = String(index + 1)
        subsystem.serialNumber = "EMBEDDED" + String(repeating: "0", count: max(0, 8 - number.count)) + number
        if !allowedHosts.isEmpty { subsystem.allowedHosts = Set(allowedHosts) }
        subsystem.namespaces = served[index].mapValues(\.configuration)
        try await target.addSubsystem(subsystem)
      }
      var listening: [EmbeddedTarget.Port] = []
      for port in ports { listening.append(try await target.addPort(PortConfiguration(host: address, port: port))) }
      for access in accessStates {
        var places = listening
        if let number = access.port { places = [try TargetControl.port(number, of: listening)] }
        for port in places {
          try await target.setANAState(access.state, group: access.group, port: port.identifier)
        }
      }
      return (target, listening)
    } catch let error as TargetError {
      throw error.isSystemFailure ? .local(error.description) : .usage(error.description)
    } catch let error as ToolError {
      throw .usage("--ana: \(error)")
    } catch {
      throw .local("the target could not be started: \(error)")
    }
  }

  private func show(_ ports: [EmbeddedTarget.Port], _ served: [[UInt32: NamespaceSpecification]]) {
    let discoveries = ports.map { TargetIdentifier(host: $0.host, port: $0.port) }
    // Through the first port; the others have the same.
    let uris = zip(subsystems, served).map { nqn, namespaces in
      namespaces.keys.sorted().map { identifier in
        var place = TargetIdentifier(host: ports[0].host, port: ports[0].port, subsystemNQN: nqn)
        place.namespaceIdentifier = identifier
        return place.uri
      }
    }
    if format == .json {
      // One line, so that a script can read it while the target runs.
      let document: JSONValue = [
        "host": .string(ports[0].host), "port": .integer(ports[0].port), "nqn": .string(subsystems[0]),
        "discovery": .string(discoveries[0].uri),
        "namespaces": .array(uris.joined().map { .string($0) }),
        "ports": .array(
          zip(ports, discoveries).map { port, discovery in
            ["host": .string(port.host), "port": .integer(port.port), "discovery": .string(discovery.uri)]
          }),
        "subsystems": .array(
          zip(subsystems, uris).map { nqn, uris in
            ["nqn": .string(nqn), "namespaces": .array(uris.map { .string($0) })]
          }),
      ]
      Console.print(document, style: .line)
      return
    }
    Console.print("embedded target, for tests, demonstrations and benchmarks: no security, data in memory is not kept")
    Console.print("listening on " + discoveries.map(\.hostAndPort).joined(separator: ", "))
    for (uris, namespaces) in zip(uris, served) {
      for (uri, namespace) in zip(uris, namespaces.sorted(by: { $0.key < $1.key })) {
        Console.print("  \(uri)\n    \(namespace.value.summary)")
      }
    }
    for discovery in discoveries { Console.print("  \(discovery.uri)\n    discovery") }
    Console.print("Ctrl-C ends it; help shows what can be changed meanwhile")
  }
}
