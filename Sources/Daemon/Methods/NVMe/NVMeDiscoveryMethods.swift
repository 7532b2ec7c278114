internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Discovery services.
enum NVMeDiscoveryMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] {
    [start(service), stop(service), getInformation(service), startMDNS, stopMDNS, getMDNSInformation]
  }

  private static func start(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable {
      var name, transportType, host: String
      var addressFamily, serviceIdentifier, hostNQN: String?
      var waitsForAttach: Bool
      var attachTimeoutMilliseconds: UInt64
      var timers: TimerSettings
    }
    return RPCMethod(
      "bdev_nvme_start_discovery",
      decode: { parameters throws(RPCParameterError) in
        var request = Request(
          name: try parameters.required("name"), transportType: try parameters.required("trtype"),
          host: try parameters.required("traddr"), addressFamily: try parameters.optional("adrfam"),
          serviceIdentifier: try parameters.optional("trsvcid"), hostNQN: try parameters.optional("hostnqn"),
          waitsForAttach: try parameters.optional("wait_for_attach", default: false),
          attachTimeoutMilliseconds: try parameters.optional("attach_timeout_ms", default: 0),
          // Not those of set_options.
          timers: TimerSettings())
        try request.timers.decode(&parameters)
        return request
      },
      body: { request async throws(RPCError) in
        let address = try TransportAddress(
          transportType: request.transportType, addressFamily: request.addressFamily, host: request.host,
          serviceIdentifier: request.serviceIdentifier, subsystemNQN: NVMeQualifiedName.discovery,
          defaultPort: TargetIdentifier.defaultDiscoveryPort)
        let identity = service.controllers.identity
        let hostNQN = request.hostNQN.flatMap { $0.isEmpty ? nil : $0 }
        if let hostNQN, let problem = NVMeQualifiedName.problem(with: hostNQN) {
          throw .system(EINVAL, detail: "hostnqn: \(problem)")
        }
        var discovery = DiscoveryRequest(
          name: request.name, address: address, hostNQN: hostNQN ?? identity.hostNQN,
          hostIdentifier: hostNQN.flatMap { NVMeQualifiedName.uuid(of: $0) } ?? identity.hostIdentifier)
        discovery.timers = request.timers
        discovery.attachTimeoutMilliseconds = request.attachTimeoutMilliseconds
        discovery.waitsForAttach = request.waitsForAttach || request.attachTimeoutMilliseconds > 0
        discovery.multipath = service.controllers.options.multipath
        try await service.controllers.startDiscovery(discovery)
        return true
      })
  }

  private static func stop(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_stop_discovery",
      decode: { parameters throws(RPCParameterError) in try parameters.required("name", as: String.self) },
      body: { name async throws(RPCError) in
        try await service.controllers.stopDiscovery(name)
        return true
      })
  }

  private static func getInformation(_ service: NVMeService) -> RPCMethod {
    RPCMethod("bdev_nvme_get_discovery_info") {
      .array(
        service.controllers.discoveries.map { discovery in
          [
            "name": .string(discovery.name), "trid": .object(discovery.request.address.members),
            "referrals": .array(discovery.services.dropFirst().map { ["trid": .object($0.members)] }),
          ]
        })
    }
  }

  // MARK: mDNS, which needs a responder's library that is not here: as upstream built without it

  private static let refusal = RPCError.system(EOPNOTSUPP, detail: "there is no mDNS here")

  private static var startMDNS: RPCMethod {
    RPCMethod(
      "bdev_nvme_start_mdns_discovery",
      decode: { parameters throws(RPCParameterError) in
        _ = try parameters.required("name", as: String.self)
        _ = try parameters.required("svcname", as: String.self)
        _ = try parameters.optional("hostnqn", as: String.self)
      }, body: { () throws(RPCError) in throw refusal })
  }

  private static var stopMDNS: RPCMethod {
    RPCMethod(
      "bdev_nvme_stop_mdns_discovery",
      decode: { parameters throws(RPCParameterError) in _ = try parameters.required("name", as: String.self) },
      body: { () throws(RPCError) in throw refusal })
  }

  private static var getMDNSInformation: RPCMethod {
    RPCMethod("bdev_nvme_get_mdns_discovery_info") { () throws(RPCError) in throw refusal }
  }
}
