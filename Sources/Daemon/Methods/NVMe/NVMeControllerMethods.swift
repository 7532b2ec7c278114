internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Controllers: what there is, and what is done to one.
enum NVMeControllerMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] {
    [
      getControllers(service), operation("bdev_nvme_reset_controller", .reset, service),
      operation("bdev_nvme_enable_controller", .enable, service),
      operation("bdev_nvme_disable_controller", .disable, service), getHealth(service),
    ]
  }

  private static func getControllers(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_get_controllers",
      decode: { parameters throws(RPCParameterError) in try parameters.optional("name", as: String.self) },
      body: { name throws(RPCError) in
        guard let name else { return .array(service.controllers.sets.map(value)) }
        guard let set = service.controllers.set(named: name) else {
          throw .invalidArgument("Controller \(name) does not exist")
        }
        return [value(set)]
      })
  }

  private static func value(_ set: ControllerSet) -> JSONValue {
    ["name": .string(set.name), "ctrlrs": .array(set.controllers.map { .object(members(of: $0)) })]
  }

  private static func members(of controller: AttachedController) -> JSONObject {
    let addresses = controller.addresses
    var members: JSONObject = [
      "state": .string(controller.stateText), "trid": .object(addresses[0].members),
    ]
    if addresses.count > 1 {
      members["alternate_trids"] = .array(addresses.dropFirst().map { .object($0.members) })
    }
    members["cntlid"] = .integer(controller.controller.snapshot.controllerIdentifier)
    let request = controller.request
    members["host"] = [
      "nqn": .string(request.hostNQN), "addr": .string(request.hostAddress), "svcid": "", "no_shn_notification": false,
    ]
    return members
  }

  private static func operation(
    _ name: String, _ operation: ControllerOperation, _ service: NVMeService
  ) -> RPCMethod {
    struct Request: Sendable { var name: String, identifier: UInt16 }
    return RPCMethod(
      name, undecodable: .invalidParameters("Invalid argument"),
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.required("name"), identifier: try parameters.optional("cntlid", default: 0))
      },
      body: { request async throws(RPCError) in
        try await service.controllers.carryOut(operation, on: request.name, request.identifier)
        return true
      })
  }

  // MARK: Health

  private static func getHealth(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_get_controller_health_info", undecodable: .internalError("Invalid parameters"),
      decode: { parameters throws(RPCParameterError) -> String? in
        // Told apart from a name that is missing among others.
        parameters.isEmpty ? nil : try parameters.required("name", as: String.self)
      },
      body: { name async throws(RPCError) in
        guard let name else { throw .internalError("Missing device name") }
        guard let member = service.controllers.set(named: name)?.oneInUse else {
          throw .internalError("Device not found")
        }
        do {
          let reply = try await member.controller.admin(
            .getLogPage(.smartHealth, byteCount: SMARTHealthLog.byteCount, retainAsynchronousEvent: true),
            dataInByteCount: SMARTHealthLog.byteCount)
          guard reply.status.isSuccess else {
            throw RPCError(code: -32603, message: "Internal error.", detail: "Get Log Page: \(reply.status)")
          }
          return value(try SMARTHealthLog(decoding: reply.data.span.bytes), of: member)
        } catch let error as RPCError {
          throw error
        } catch {
          throw RPCError(code: -32603, message: "Internal error.", detail: "\(error)")
        }
      })
  }

  private static func value(_ log: SMARTHealthLog, of member: AttachedController) -> JSONValue {
    let identification = member.controller.snapshot.identification
    // A temperature of 0 K is none: a whole number below the freezing point of water is printed as such.
    func celsius(_ kelvin: UInt16) -> JSONValue { .integer(Int(kelvin) - 273) }
    var members: JSONObject = [
      "model_number": .string(identification?.modelNumber ?? ""),
      "serial_number": .string(identification?.serialNumber ?? ""),
      "firmware_revision": .string(identification?.firmwareRevision ?? ""),
      "traddr": .string(member.addresses[0].host), "critical_warning": .integer(log.criticalWarning),
      "temperature_celsius": log.compositeTemperatureKelvin == 0 ? 0 : celsius(log.compositeTemperatureKelvin),
      "available_spare_percentage": .integer(log.availableSparePercent),
      "available_spare_threshold_percentage": .integer(log.availableSpareThresholdPercent),
      "percentage_used": .integer(log.percentageUsed), "data_units_read": .integer(log.dataUnitsRead),
      "data_units_written": .integer(log.dataUnitsWritten), "host_read_commands": .integer(log.hostReadCommands),
      "host_write_commands": .integer(log.hostWriteCommands),
      "controller_busy_time": .integer(log.controllerBusyMinutes), "power_cycles": .integer(log.powerCycles),
      "power_on_hours": .integer(log.powerOnHours), "unsafe_shutdowns": .integer(log.unsafeShutdowns),
      "media_errors": .integer(log.mediaErrors), "num_err_log_entries": .integer(log.errorLogEntries),
      // Upstream's key, and the one that its documentation names.
      "warning_temperature_time_minutes": .integer(log.warningTemperatureMinutes),
      "warning_composite_temperature_time_minutes": .integer(log.warningTemperatureMinutes),
      "critical_composite_temperature_time_minutes": .integer(log.criticalTemperatureMinutes),
    ]
    // Upstream repeats the key for each sensor, so that clients see the last one: an object has a key once.
    if let sensor = log.temperatureSensorsKelvin.last(where: { $0 != 0 }) {
      members["temperature_sensor_celsius"] = celsius(sensor)
    }
    return .object(members)
  }
}

extension ControllerSet {
  /// The controller that a method acts on which takes a name alone: the first, or the first that can be used now.
  var oneInUse: AttachedController? {
    let controllers = controllers
    return controllers.first { $0.controller.snapshot.state == .enabled } ?? controllers.first
  }
}
