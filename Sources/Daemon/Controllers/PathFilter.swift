package import BlockDevice

/// Which paths of a controller are meant: those that fit all that is said.
package struct PathFilter: Sendable {
  package var transportType: String?
  package var host: String?
  package var addressFamily: AddressFamily?
  package var serviceIdentifier: String?
  package var subsystemNQN: String?
  package var hostAddress: String?
  package var hostServiceIdentifier: String?
  /// Of a discovery service: what it has attached itself.
  var discoverer: String?

  package init() {}

  func fits(_ request: AttachRequest) -> Bool {
    func fits(_ wanted: String?, _ text: String) -> Bool { wanted.map { $0.isEmpty || $0 == text } ?? true }
    let address = request.address
    return fits(transportType?.uppercased(), address.transportType.uppercased()) && fits(host, address.host)
      && (addressFamily.map { $0 == address.addressFamily } ?? true)
      && fits(serviceIdentifier, address.serviceIdentifier)
      && fits(subsystemNQN, address.subsystemNQN) && fits(hostAddress, request.hostAddress)
      && (discoverer.map { $0 == request.discoverer } ?? true)
      // None is ever bound to.
      && fits(hostServiceIdentifier, "")
  }
}
