internal import BlockDevice
internal import JSONRPC

/// Options of all controllers.
enum NVMeOptionMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] {
    [setOptions(service), setHotplug(service), setKeys(service)]
  }

  private static func setOptions(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_set_options", phase: .both,
      decode: { parameters throws(RPCParameterError) in
        var options = service.controllers.options
        try options.decode(&parameters)
        return options
      },
      body: { options async throws(RPCError) in
        try await service.controllers.setOptions(options)
        return true
      })
  }

  private static func setHotplug(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_set_hotplug", undecodable: .invalidParameters("Invalid argument"),
      decode: { parameters throws(RPCParameterError) in
        var settings = HotplugSettings()
        settings.isEnabled = try parameters.required("enable")
        let period: UInt64 = try parameters.optional("period_us", default: 0)
        if period > 0 { settings.periodMicroseconds = min(period, HotplugSettings.maximumPeriodMicroseconds) }
        return settings
      },
      body: { settings in
        service.controllers.hotplug = settings
        return true
      })
  }

  private static func setKeys(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String, key: String?, controllerKey: String? }
    return RPCMethod(
      "bdev_nvme_set_keys", undecodable: .invalidParameters("spdk_json_decode_object failed"),
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.required("name"), key: try parameters.optional("dhchap_key"),
          controllerKey: try parameters.optional("dhchap_ctrlr_key"))
      },
      body: { request throws(RPCError) in
        guard service.controllers.set(named: request.name) != nil else { throw .noSuchDevice }
        // Cleared keys are what every controller has.
        try AuthenticationKeys.refuse([request.key, request.controllerKey], of: service)
        return true
      })
  }
}
