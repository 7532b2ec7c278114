internal import BlockDevice
internal import JSONRPC
internal import Synchronization

/// The list of block devices.
enum DeviceListMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] { [getDevices(service)] }

  private static func getDevices(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String?, timeoutMilliseconds: UInt64 }
    return RPCMethod(
      "bdev_get_bdevs",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.optional("name"), timeoutMilliseconds: try parameters.optional("timeout", default: 0))
      },
      body: { request async throws(RPCError) in
        guard let name = request.name else {
          return .array(service.devices.devices.map { .object(DeviceText.members(of: $0)) })
        }
        guard let device = await service.devices.device(named: name, within: request.timeoutMilliseconds) else {
          throw .noSuchDevice
        }
        return [.object(DeviceText.members(of: device))]
      })
  }
}
