internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Paths: what there is, which are used, and what goes over them.
enum NVMePathMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] {
    [
      getPaths(service), setPolicy(service), setPreferredPath(service), getPathStatistics(service),
      getTransportStatistics(service),
    ]
  }

  private static func getPaths(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_get_io_paths", undecodable: .invalidParameters("bdev_nvme_get_io_paths requires no parameters"),
      decode: { parameters throws(RPCParameterError) in try parameters.optional("name", as: String.self) },
      body: { name in
        let devices = service.devices.devices.filter { name == nil || $0.name == name }
        return [
          "poll_groups": .array(
            service.ioThreads.map { thread in
              [
                "thread": .string(thread.name),
                "io_paths": .array(devices.flatMap { paths(of: $0, on: thread.reactor) }),
              ]
            })
        ]
      })
  }

  /// Only where there are channels.
  private static func paths(of device: RegisteredDevice, on reactor: ReactorHandle) -> [JSONValue] {
    guard let nvme = device.nvme, let meter = device.meter,
      meter.channelStatistics.contains(where: { $0.reactor === reactor })
    else { return [] }
    let snapshot = nvme.multipath.snapshot
    return nvme.paths.compactMap { path in
      guard let state = snapshot.paths.first(where: { $0.controller === path.controller.controller }) else {
        return nil
      }
      let address = path.controller.addresses[0]
      var transport: JSONObject = [
        "trtype": .string(address.transportType), "traddr": .string(address.host),
        "trsvcid": .string(address.serviceIdentifier),
      ]
      if let family = address.addressFamilyText { transport["adrfam"] = .string(family) }
      return [
        "bdev_name": .string(device.name), "cntlid": .integer(path.snapshot.controllerIdentifier),
        "current": .bool(state.isCurrent), "connected": .bool(state.isConnected),
        "accessible": .bool(state.availability.isAccessible(path.snapshot, nvme.multipath.namespaceIdentifier)),
        // Ours; SPDK has no such state.
        "on_probation": .bool(state.isOnProbation), "transport": .object(transport),
      ]
    }
  }

  private static func setPolicy(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable {
      var name: String
      var policy: MultipathOptions.Policy
      var selector: MultipathOptions.Selector?
      var minimumIO: UInt32?
    }
    return RPCMethod(
      "bdev_nvme_set_multipath_policy",
      decode: { parameters throws(RPCParameterError) in
        let request = Request(
          name: try parameters.required("name"), policy: try parameters.required("policy"),
          selector: try parameters.optional("selector"), minimumIO: try parameters.optional("rr_min_io"))
        if request.policy == .activePassive && request.selector != nil {
          throw RPCParameterError(path: "selector", rule: "only makes sense with active_active")
        }
        return request
      },
      body: { request throws(RPCError) in
        var options = MultipathOptions()
        options.policy = request.policy
        options.selector = request.selector ?? .roundRobin
        // Upstream's "not given".
        options.minimumIO = request.minimumIO.flatMap { $0 == .max ? nil : $0 } ?? 1
        let policy = try options.multipathPolicy(
          failsBackAutomatically: !service.controllers.options.disablesAutomaticFailback)
        guard let device = service.devices.device(named: request.name)?.nvme else { throw .noSuchDevice }
        device.multipath.setPolicy(policy)
        device.multipathOptions = options
        return true
      })
  }

  private static func setPreferredPath(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String, identifier: UInt16 }
    return RPCMethod(
      "bdev_nvme_set_preferred_path",
      decode: { parameters throws(RPCParameterError) in
        Request(name: try parameters.required("name"), identifier: try parameters.required("cntlid"))
      },
      body: { request throws(RPCError) in
        guard let device = service.devices.device(named: request.name)?.nvme,
          let path = device.paths.first(where: { $0.snapshot.controllerIdentifier == request.identifier }),
          let known = device.multipath.snapshot.paths.first(where: { $0.controller === path.controller.controller }),
          device.multipath.setPreferredPath(known.identifier)
        else { throw .noSuchDevice }
        return true
      })
  }

  // MARK: Statistics

  private static func getPathStatistics(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_get_path_iostat",
      decode: { parameters throws(RPCParameterError) -> String? in
        // Upstream does not read the parameters of a call that is not allowed.
        guard service.controllers.options.countsPathIO else {
          _ = try? parameters.optional("name", as: JSONValue.self)
          return nil
        }
        return try parameters.required("name", as: String.self)
      },
      body: { name throws(RPCError) in
        guard let name else {
          throw RPCError(code: -1, message: "RPC not enabled if enable_io_path_stat is false")
        }
        guard let device = service.devices.device(named: name), let nvme = device.nvme else { throw .noSuchDevice }
        let snapshot = nvme.multipath.snapshot
        return [
          "name": .string(device.name),
          "stats": .array(
            nvme.paths.map { path in
              let state = snapshot.paths.first { $0.controller === path.controller.controller }
              return [
                "trid": .object(path.controller.addresses[0].members),
                "stat": .object(IOStatisticsText.members(of: state?.io ?? BlockStatistics())),
              ]
            }),
        ]
      })
  }

  private static func getTransportStatistics(_ service: NVMeService) -> RPCMethod {
    let refusal = RPCError.invalidParameters("'bdev_nvme_get_transport_statistics' requires no arguments")
    return RPCMethod("bdev_nvme_get_transport_statistics", undecodable: refusal) {
      let meters = service.devices.devices.compactMap(\.meter)
      var groups: [JSONValue] = []
      for thread in service.ioThreads {
        var sum = BlockStatistics()
        for meter in meters { sum.add(meter.statistics(on: thread.reactor)) }
        let reactor = (try? await thread.reactor.perform { $0.statistics }) ?? ReactorStatistics()
        let completed =
          BlockOperation.allCases.reduce(0 as UInt64) { $0 &+ sum[$1].count } &+ sum.failures.values.reduce(0, &+)
        groups.append([
          "thread": .string(thread.name),
          "transports": [
            [
              "trname": "TCP", "polls": .integer(reactor.turnCount), "idle_polls": .integer(reactor.idleTurnCount),
              "socket_completions": .integer(reactor.completionCount), "nvme_completions": .integer(completed),
              "queued_requests": .integer(sum.heldCount),
              "submitted_requests": .integer(completed &+ sum.outstandingCount),
            ]
          ],
        ])
      }
      return ["poll_groups": .array(groups)]
    }
  }
}

extension PathAvailability {
  /// Whether the namespace can be accessed by its ANA state, connected or not: what upstream calls accessible.
  fileprivate func isAccessible(_ snapshot: Controller.Snapshot, _ namespace: UInt32) -> Bool {
    if case .unavailable(.asymmetricAccessChanging) = self { return false }
    return snapshot.anaState(ofNamespace: namespace).isAccessible
  }
}
