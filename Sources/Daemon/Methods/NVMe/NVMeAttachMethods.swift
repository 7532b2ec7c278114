internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Attaching and detaching controllers.
enum NVMeAttachMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] { [attach(service), detach(service)] }

  private struct Attach: Sendable {
    var name = ""
    var transportType = ""
    var host = ""
    var addressFamily, serviceIdentifier, priority, subsystemNQN, hostNQN, hostAddress, hostService: String?
    var checksReferenceTag = false
    var checksGuard = false
    var headerDigest = false
    var dataDigest = false
    var allowsUnrecognizedCommandSets = false
    var disablesFlowControl = true
    var fabricsConnectTimeoutMicroseconds: UInt64?
    var mode = AttachRequest.MultipathMode.multipath
    var queueCount = AttachRequest.defaultQueueCount
    var timers = TimerSettings()
    var psk, key, controllerKey: String?
    var maximumDeviceCount: UInt32 = 128
    var multipath = MultipathOptions()
  }

  private static func attach(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_attach_controller",
      decode: { parameters throws(RPCParameterError) in
        var request = Attach()
        let options = service.controllers.options
        request.timers = options.timers
        request.multipath = options.multipath
        try decode(&request, &parameters)
        return request
      },
      body: { request async throws(RPCError) in
        let names = try await service.controllers.attach(try check(request, service))
        return .array(names.map { .string($0) })
      })
  }

  private static func decode(
    _ request: inout Attach, _ parameters: inout RPCParameters
  ) throws(RPCParameterError) {
    request.name = try parameters.required("name")
    request.transportType = try parameters.required("trtype")
    request.host = try parameters.required("traddr")
    request.addressFamily = try parameters.optional("adrfam")
    request.serviceIdentifier = try parameters.optional("trsvcid")
    request.priority = try parameters.optional("priority")
    request.subsystemNQN = try parameters.optional("subnqn")
    request.hostNQN = try parameters.optional("hostnqn")
    request.hostAddress = try parameters.optional("hostaddr")
    request.hostService = try parameters.optional("hostsvcid")
    request.checksReferenceTag = try parameters.optional("prchk_reftag", default: false)
    request.checksGuard = try parameters.optional("prchk_guard", default: false)
    request.headerDigest = try parameters.optional("hdgst", default: false)
    request.dataDigest = try parameters.optional("ddgst", default: false)
    request.fabricsConnectTimeoutMicroseconds = try parameters.optional("fabrics_connect_timeout_us")
    request.mode = try parameters.optional("multipath", default: request.mode)
    request.queueCount = try parameters.optional("num_io_queues", default: request.queueCount)
    try request.timers.decode(&parameters)
    request.psk = try parameters.optional("psk")
    request.maximumDeviceCount = try parameters.optional("max_bdevs", default: request.maximumDeviceCount)
    request.key = try parameters.optional("dhchap_key")
    request.controllerKey = try parameters.optional("dhchap_ctrlr_key")
    request.allowsUnrecognizedCommandSets = try parameters.optional("allow_unrecognized_csi", default: false)
    request.disablesFlowControl = try parameters.optional("disable_sq_flow_control", default: true)
    var multipath = request.multipath
    _ = try parameters.optionalObject("multipath_opts") { inner throws(RPCParameterError) in
      try multipath.decode(&inner)
    }
    request.multipath = multipath
  }

  /// What can be said against a request by itself, in upstream's order.
  private static func check(_ request: Attach, _ service: NVMeService) throws(RPCError) -> AttachRequest {
    if request.maximumDeviceCount == 0 { throw .invalidArgument("max_bdevs cannot be zero") }
    let address = try TransportAddress(
      transportType: request.transportType, addressFamily: request.addressFamily, host: request.host,
      serviceIdentifier: request.serviceIdentifier, subsystemNQN: request.subsystemNQN,
      defaultPort: TargetIdentifier.defaultPort)
    try TransportAddress.check(request.hostNQN ?? "", "hostnqn", NVMeQualifiedName.maximumByteCount)
    try TransportAddress.check(request.hostAddress ?? "", "hostaddr", TransportAddress.maximumHostByteCount)
    try TransportAddress.check(request.hostService ?? "", "hostsvcid", TransportAddress.maximumServiceByteCount)
    let hostNQN = request.hostNQN.flatMap { $0.isEmpty ? nil : $0 }
    let identity = service.controllers.identity
    var result = AttachRequest(
      name: request.name, address: address, hostNQN: hostNQN ?? identity.hostNQN,
      hostIdentifier: hostNQN.flatMap { NVMeQualifiedName.uuid(of: $0) } ?? identity.hostIdentifier)
    if request.checksReferenceTag || request.checksGuard {
      if service.controllers.set(named: request.name) != nil {
        throw .invalidArgument(
          "A controller named \(request.name) already exists. To add a path, do not specify PI options.")
      }
      throw .invalidArgument(
        "prchk_reftag and prchk_guard cannot be honoured: protection information is not supported")
    }
    if request.allowsUnrecognizedCommandSets {
      throw .invalidArgument("allow_unrecognized_csi cannot be honoured: only the NVM command set is supported")
    }
    if let service = request.hostService, !service.isEmpty, service != "0" {
      throw .invalidArgument(
        "hostsvcid cannot be honoured: a controller's queues are connections of their own, which cannot share a port")
    }
    if let hostAddress = request.hostAddress, !hostAddress.isEmpty {
      guard TargetIdentifier(host: hostAddress).addressFamily != nil else {
        throw .invalidArgument("hostaddr is '\(hostAddress)', must be an IP address")
      }
      result.hostAddress = hostAddress
    }
    if let priority = request.priority {
      guard let number = Int32(priority), (0...Int32(UInt8.max)).contains(number) else {
        throw .invalidArgument("priority is '\(priority)', must be 0 to 255")
      }
      result.priority = number > 0 ? number : nil
    }
    try AuthenticationKeys.refuse([request.psk, request.key, request.controllerKey], of: service)
    result.mode = request.mode
    result.headerDigest = request.headerDigest
    result.dataDigest = request.dataDigest
    result.disablesFlowControl = request.disablesFlowControl
    result.fabricsConnectTimeoutMicroseconds = request.fabricsConnectTimeoutMicroseconds
    result.queueCount = request.queueCount
    result.timers = request.timers
    result.multipath = request.multipath
    result.maximumDeviceCount = request.maximumDeviceCount
    return result
  }

  private static func detach(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable {
      var name: String
      var transportType, host, addressFamily, serviceIdentifier, subsystemNQN, hostAddress, hostService: String?
    }
    return RPCMethod(
      "bdev_nvme_detach_controller",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.required("name"), transportType: try parameters.optional("trtype"),
          host: try parameters.optional("traddr"), addressFamily: try parameters.optional("adrfam"),
          serviceIdentifier: try parameters.optional("trsvcid"), subsystemNQN: try parameters.optional("subnqn"),
          hostAddress: try parameters.optional("hostaddr"), hostService: try parameters.optional("hostsvcid"))
      },
      body: { request async throws(RPCError) in
        var filter = PathFilter()
        let address = try TransportAddress(
          transportType: request.transportType ?? "TCP", addressFamily: request.addressFamily,
          host: request.host ?? "", serviceIdentifier: request.serviceIdentifier, subsystemNQN: request.subsystemNQN,
          defaultPort: 0)
        try TransportAddress.check(request.hostAddress ?? "", "hostaddr", TransportAddress.maximumHostByteCount)
        try TransportAddress.check(request.hostService ?? "", "hostsvcid", TransportAddress.maximumServiceByteCount)
        filter.transportType = request.transportType
        filter.host = request.host
        filter.addressFamily = request.addressFamily == nil ? nil : address.addressFamily
        filter.serviceIdentifier = request.serviceIdentifier
        filter.subsystemNQN = request.subsystemNQN
        filter.hostAddress = request.hostAddress
        filter.hostServiceIdentifier = request.hostService
        try await service.controllers.detach(request.name, filter)
        return true
      })
  }
}
