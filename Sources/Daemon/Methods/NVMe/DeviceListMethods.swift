internal import Glibc
internal import JSONRPC

/// The list of block devices.
enum DeviceListMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] { [getDevices(service)] }

  private static func getDevices(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String?, timeoutMilliseconds: UInt64 }
    // Clients ask for it again and again.
    let list = DeviceList(of: service.devices)
    return RPCMethod(
      "bdev_get_bdevs",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.optional("name"), timeoutMilliseconds: try parameters.optional("timeout", default: 0))
      },
      result: { request async throws(RPCError) in
        guard let name = request.name else { return .text(list.text) }
        guard let device = await service.devices.device(named: name, within: request.timeoutMilliseconds) else {
          // As upstream: who has waited is told that it has.
          throw request.timeoutMilliseconds > 0 ? .system(ETIMEDOUT) : .noSuchDevice
        }
        return .value([.object(DeviceText.members(of: device))])
      })
  }
}
