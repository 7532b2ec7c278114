internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Methods about the daemon: what it offers, which phase it is in, how it is configured, how it ends.
enum FrameworkMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    [getMethods(service), getVersion, killInstance, startInit(service), waitInit(service)]
      + [getSubsystems(service), getConfig(service)]
  }

  private static func getMethods(_ service: Service) -> RPCMethod {
    struct Request: Sendable { var current: Bool, includesAliases: Bool }
    return RPCMethod(
      "rpc_get_methods", phase: .both, undecodable: .invalidParameters(),
      decode: { parameters throws(RPCParameterError) in
        Request(
          current: try parameters.optional("current", default: false),
          includesAliases: try parameters.optional("include_aliases", default: false))
      },
      body: { request in
        let phase = service.lifecycle.phase
        let methods = service.table.methods.filter { !request.current || $0.phase.contains(phase) }
        return .array(
          methods.flatMap { [$0.name] + (request.includesAliases ? $0.aliases : []) }.map { .string($0) })
      })
  }

  /// The release of SPDK whose interface this is.
  private static let interface = (major: 26, minor: 9, patch: 0)

  private static var getVersion: RPCMethod {
    RPCMethod(
      "spdk_get_version", phase: .both,
      undecodable: .invalidParameters("spdk_get_version method requires no parameters")
    ) {
      let suffix = "-nvmeofd-\(PackageVersion.current)"
      return [
        "version": .string("SPDK v\(interface.major).0\(interface.minor)\(suffix)"),
        "fields": [
          "major": .integer(interface.major), "minor": .integer(interface.minor), "patch": .integer(interface.patch),
          "suffix": .string(suffix),
        ],
      ]
    }
  }

  private enum Signal: String, RPCEnumeration {
    case interrupt = "SIGINT"
    case terminate = "SIGTERM"
    case quit = "SIGQUIT"
    case hangUp = "SIGHUP"
    case kill = "SIGKILL"
    case user = "SIGUSR1"

    init(parameter: JSONValue) throws(RPCParameterError) {
      // By name, with or without SIG in front, or by number.
      let word = parameter.stringValue ?? parameter.integerValue(Int32.self).map(String.init) ?? ""
      let found = Self.allCases.first {
        $0.rawValue == word || $0.rawValue == "SIG" + word || String($0.number) == word
      }
      guard let found else {
        throw RPCParameterError(
          path: "", rule: "must be one of " + Self.allCases.map(\.rawValue).joined(separator: ", "))
      }
      self = found
    }

    var number: Int32 {
      switch self {
      case .interrupt: SIGINT
      case .terminate: SIGTERM
      case .quit: SIGQUIT
      case .hangUp: SIGHUP
      case .kill: SIGKILL
      case .user: SIGUSR1
      }
    }
  }

  private static var killInstance: RPCMethod {
    RPCMethod(
      "spdk_kill_instance", phase: .both, undecodable: .invalidParameters(),
      decode: { parameters throws(RPCParameterError) in try parameters.required("sig_name", as: Signal.self) },
      body: { signal in
        Glibc.kill(getpid(), signal.number)
        return true
      })
  }

  private static func startInit(_ service: Service) -> RPCMethod {
    RPCMethod("framework_start_init", phase: .startup) { () async throws(RPCError) in
      guard await service.start() else {
        throw RPCError(code: -1, message: RPCError.text(of: EPERM), detail: "the daemon has been started already")
      }
      return true
    }
  }

  private static func waitInit(_ service: Service) -> RPCMethod {
    RPCMethod("framework_wait_init", phase: .both) {
      await service.lifecycle.waitUntilStarted()
      return true
    }
  }

  private static func getSubsystems(_ service: Service) -> RPCMethod {
    RPCMethod("framework_get_subsystems") {
      .array(
        Configuration.sections(of: service).map { section in
          [
            "subsystem": .string(section.name), "depends_on": .array(section.dependencies.map { .string($0) }),
          ]
        })
    }
  }

  private static func getConfig(_ service: Service) -> RPCMethod {
    struct Request: Sendable { var name: String, withBatches: Bool? }
    return RPCMethod(
      "framework_get_config", undecodable: .invalidParameters("Invalid arguments"),
      decode: { parameters throws(RPCParameterError) in
        // Batches are a grouping of calls that newer clients can do with; we have no use for them.
        Request(
          name: try parameters.required("name"), withBatches: try parameters.optional("with_batches"))
      },
      body: { request async throws(RPCError) in
        guard let section = Configuration.sections(of: service).first(where: { $0.name == request.name }) else {
          throw .invalidParameters("Subsystem '\(request.name)' not found")
        }
        return .array(await section.entries().map(\.value))
      })
  }
}
