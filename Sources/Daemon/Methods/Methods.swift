package import JSONRPC

/// The daemon's interface: every method there is, in one table.
package enum Methods {
  /// - Parameter service: what the methods act on.
  package static func all(of service: Service) -> [RPCMethod] {
    GenericMethods.all(service) + NVMeMethods.all(service.nvme) + ExportMethods.all(service)
  }
}
