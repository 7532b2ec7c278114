package import JSONRPC

/// Methods about NVMe controllers, and the list of block devices made of their namespaces.
package enum NVMeMethods {
  package static func all(_ service: NVMeService) -> [RPCMethod] {
    NVMeOptionMethods.all(service) + NVMeAttachMethods.all(service) + NVMeControllerMethods.all(service)
      + NVMePathMethods.all(service) + NVMeDiscoveryMethods.all(service) + NVMeCommandMethods.all(service)
      + NVMeFirmwareMethods.all(service) + DeviceListMethods.all(service)
  }
}
