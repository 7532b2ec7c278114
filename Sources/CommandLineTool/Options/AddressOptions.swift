import ArgumentParser
import BlockDevice

/// Which target: a URI or transport identifier, or nvme-cli's options.
struct AddressOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "nvme+tcp://HOST:PORT/NQN?nsid=1, or \"trtype:TCP traddr:ADDRESS trsvcid:PORT subnqn:NQN\"", valueName: "target"))
  var target: String?

  @Option(
    name: [.customShort("t"), .customLong("transport")],
    help: ArgumentHelp("Transport; tcp is the one there is", valueName: "type"))
  var transport: String?

  @Option(
    name: [.customShort("a"), .customLong("traddr")],
    help: ArgumentHelp("The target's host name or address", valueName: "address"))
  var address: String?

  @Option(
    name: [.customShort("s"), .customLong("trsvcid")],
    help: ArgumentHelp("The target's port (default 4420; 8009 for discovery)", valueName: "port"))
  var service: String?

  @Option(
    name: [.customShort("n"), .customLong("nqn")],
    help: ArgumentHelp("The subsystem's NQN", valueName: "nqn"))
  var subsystemNQN: String?

  /// What is needed of an address.
  enum Need: Sendable {
    /// A subsystem: without its NQN there is an error.
    case subsystem
    /// A subsystem, or the discovery service where none is named.
    case subsystemOrDiscovery
  }

  /// The target that is meant.
  ///
  /// - Throws: ``ToolError`` of kind usage.
  func resolve(_ need: Need) throws(ToolError) -> TargetIdentifier {
    let identifier = try identifier()
    let isNamed = subsystemNQN != nil || (target?.contains(NVMeQualifiedName.discovery) ?? false)
    if need == .subsystem, identifier.isDiscovery, !isNamed {
      let port = service.map { " -s \($0)" } ?? ""
      throw .usage(
        "the subsystem's NQN is missing: give -n NQN, or nvme+tcp://\(identifier.host)/NQN; "
          + "\"nvmeof list -a \(identifier.host)\(port)\" shows what there is")
    }
    return identifier
  }

  /// Adds to a connection's error what may help when no port was given.
  func explain(_ error: ToolError, _ target: TargetIdentifier) -> ToolError {
    guard error.status == .connectionFailed, service == nil, target.isDiscovery,
      target.port == TargetIdentifier.defaultDiscoveryPort
    else { return error }
    return ToolError(
      error.status,
      "\(error); \(target.port) is the discovery service's own port, many targets answer on 4420: give -s 4420")
  }

  private func identifier() throws(ToolError) -> TargetIdentifier {
    if let target {
      guard address == nil, service == nil, transport == nil else {
        throw .usage("give a target or -t, -a and -s, not both")
      }
      var identifier: TargetIdentifier
      do throws(TargetIdentifierError) { identifier = try TargetIdentifier(parsing: target) } catch {
        throw .usage("\(error)")
      }
      if let subsystemNQN {
        guard identifier.isDiscovery else {
          // -n is the namespace in most of nvme-cli's commands.
          let advice = UInt32(subsystemNQN) == nil ? "" : "; the namespace is --namespace-id \(subsystemNQN)"
          throw .usage("the NQN is given twice: in the target and with -n\(advice)")
        }
        try Self.check(subsystemNQN)
        identifier.subsystemNQN = subsystemNQN
      }
      return identifier
    }
    guard let address else {
      throw .usage("the target is missing: give nvme+tcp://HOST:PORT/NQN, or -t tcp -a ADDRESS -s PORT -n NQN")
    }
    if let transport, transport.lowercased() != "tcp" {
      throw .usage("transport \"\(transport)\" is not supported; tcp is")
    }
    let port = try port()
    let nqn = subsystemNQN ?? NVMeQualifiedName.discovery
    try Self.check(nqn)
    // Through the parser, which checks the host.
    var text = "trtype:TCP traddr:\(address) subnqn:\(nqn)"
    if let port { text += " trsvcid:\(port)" }
    guard !address.contains(where: \.isWhitespace) else { throw .usage("-a \"\(address)\" contains blanks") }
    do throws(TargetIdentifierError) { return try TargetIdentifier(parsing: text) } catch {
      throw .usage("-a \"\(address)\": \(error.problem); \(error.advice)")
    }
  }

  private func port() throws(ToolError) -> UInt16? {
    guard let service else { return nil }
    guard let port = UInt16(service), port > 0 else {
      throw .usage("-s \"\(service)\" is not a port number from 1 to 65535")
    }
    return port
  }

  private static func check(_ nqn: String) throws(ToolError) {
    if let problem = NVMeQualifiedName.problem(with: nqn) { throw .usage("-n \"\(nqn)\" is not valid: \(problem)") }
  }
}
