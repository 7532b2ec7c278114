package import BlockDevice

/// One controller of a ``ControllerSet``: a path, or several addresses that it is reached by in turn.
package final class AttachedController: Sendable {
  package let controller: Controller
  let transport: AlternatingTransport<AddressedTransport>

  init(controller: Controller, transport: AlternatingTransport<AddressedTransport>) {
    self.controller = controller
    self.transport = transport
  }

  /// What it was attached by; of several addresses the one in use.
  package var request: AttachRequest { transport.all[0].request }
  /// What leads to the same controller again: of several addresses the one in use comes first, and none of them may be one
  /// that allows no other.
  package var requests: [AttachRequest] {
    var requests = transport.all.map(\.request)
    guard requests.count > 1 else { return requests }
    for index in requests.indices { requests[index].mode = .failover }
    return requests
  }

  /// The address in use, then the alternates.
  package var addresses: [TransportAddress] { transport.all.map(\.address) }

  /// As the interface names it.
  package var stateText: String {
    switch controller.snapshot.state {
    case .enabled: "enabled"
    case .resetting: "resetting"
    case .reconnectDelayed: "reconnect_is_delayed"
    case .failed: "failed"
    case .disabled: "disabled"
    case .deleting, .deleted: "deleting"
    }
  }
}
