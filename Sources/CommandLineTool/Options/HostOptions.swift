import ArgumentParser
import BlockDevice

/// Who we are, and how we want to be connected. What a URI says itself goes before these options.
struct HostOptions: ParsableArguments {
  @Option(
    name: [.customShort("q"), .customLong("hostnqn")],
    help: ArgumentHelp("This host's NQN (else /etc/nvme/hostnqn, else one made once and kept)", valueName: "nqn"))
  var hostNQN: String?

  @Option(
    name: [.customShort("I"), .customLong("hostid")],
    help: ArgumentHelp("This host's identifier, a UUID", valueName: "uuid"))
  var hostIdentifier: String?

  @Flag(name: [.customShort("g"), .customLong("hdr-digest")], help: "Ask for CRC32C header digests")
  var headerDigest = false

  @Flag(name: [.customShort("G"), .customLong("data-digest")], help: "Ask for CRC32C data digests")
  var dataDigest = false

  @Option(
    name: [.customShort("i"), .customLong("nr-io-queues")],
    help: ArgumentHelp("I/O queues to ask for (default 1)", valueName: "count"))
  var queueCount: Int?

  @Option(
    name: [.customShort("Q"), .customLong("queue-size")],
    help: ArgumentHelp("Commands outstanding at once on a queue, 1 to 4095 (default 128)", valueName: "count"))
  var queueDepth: Int?

  @Option(
    name: [.customShort("k"), .customLong("keep-alive-tmo")],
    help: ArgumentHelp("Keep alive timeout; 0 switches it off (default 10)", valueName: "seconds"))
  var keepAliveSeconds: UInt32?

  @Option(
    name: .customLong("connect-tmo"),
    help: ArgumentHelp("How long one connection may take to be made (default 10)", valueName: "seconds"))
  var connectSeconds: UInt32?

  @Option(
    name: .customLong("io-tmo"),
    help: ArgumentHelp("How long an I/O command may take; 0: for ever (default 30)", valueName: "seconds"))
  var ioSeconds: UInt32?

  @Option(
    name: .customLong("tcp-user-tmo"),
    help: ArgumentHelp(
      "How long sent data may stay unacknowledged before the connection is given up; 0: as the system (default 30000)",
      valueName: "milliseconds"))
  var tcpUserTimeoutMilliseconds: UInt32?

  func validate() throws {
    if let queueCount, !(1...65_535).contains(queueCount) {
      throw ValidationError("--nr-io-queues is 1 to 65535, not \(queueCount)")
    }
    if let queueDepth, !(1...4095).contains(queueDepth) {
      throw ValidationError("--queue-size is 1 to 4095, not \(queueDepth)")
    }
    if let hostIdentifier, Identifier128(hostIdentifier)?.isZero ?? true {
      throw ValidationError("--hostid is a UUID that is not all zero, not \"\(hostIdentifier)\"")
    }
    if let hostNQN, let problem = NVMeQualifiedName.problem(with: hostNQN) {
      throw ValidationError("--hostnqn \"\(hostNQN)\" is not valid: \(problem)")
    }
    for seconds in [keepAliveSeconds, connectSeconds, ioSeconds] {
      if let seconds, seconds > 4_000_000 { throw ValidationError("timeouts are at most 4000000 seconds") }
    }
    if let tcpUserTimeoutMilliseconds, tcpUserTimeoutMilliseconds > UInt32(Int32.max) {
      throw ValidationError("--tcp-user-tmo is at most \(Int32.max) milliseconds, not \(tcpUserTimeoutMilliseconds)")
    }
    if connectSeconds == 0 { throw ValidationError("--connect-tmo is at least 1 second") }
  }

  /// How to connect to `target`. Reads the files that keep the host's identity.
  func configuration(
    for target: TargetIdentifier, leastQueueDepth: Int = 0
  ) throws(ToolError) -> ControllerConfiguration {
    let identity: HostIdentity
    do throws(HostIdentityError) {
      identity = try HostIdentity.resolve(
        hostNQN: target.hostNQN ?? hostNQN,
        hostIdentifier: target.hostIdentifier ?? hostIdentifier.flatMap { Identifier128($0) })
    } catch { throw .local("\(error)") }
    var configuration = ControllerConfiguration(
      subsystemNQN: target.subsystemNQN, hostNQN: identity.hostNQN, hostIdentifier: identity.hostIdentifier)
    configuration.queueCount = target.queueCount ?? queueCount ?? 1
    configuration.queueDepth = target.queueDepth ?? queueDepth ?? min(4095, max(128, leastQueueDepth))
    if let milliseconds = target.keepAliveTimeoutMilliseconds ?? keepAliveSeconds.map({ $0 * 1000 }) {
      configuration.keepAliveTimeoutMilliseconds = milliseconds
    }
    if let connectSeconds { configuration.connectTimeoutMilliseconds = connectSeconds * 1000 }
    if let ioSeconds { configuration.ioTimeoutMilliseconds = ioSeconds * 1000 }
    return configuration
  }

  func transportOptions(for target: TargetIdentifier) -> TCPTransportOptions {
    var options = TCPTransportOptions()
    options.headerDigest = target.headerDigest || headerDigest
    options.dataDigest = target.dataDigest || dataDigest
    if let tcpUserTimeoutMilliseconds { options.userTimeoutMilliseconds = tcpUserTimeoutMilliseconds }
    return options
  }

  func transport(for target: TargetIdentifier) throws(ToolError) -> TCPTransport {
    guard target.transportType == .tcp else {
      throw .usage("transport \(target.transportType) is not supported; tcp is")
    }
    return TCPTransport(host: target.host, port: target.port, options: transportOptions(for: target))
  }
}
