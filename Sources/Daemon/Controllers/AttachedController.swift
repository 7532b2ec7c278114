package import BlockDevice
internal import JSONRPC
internal import Synchronization

/// One controller of a ``ControllerSet``: a path, or several addresses that it is reached by in turn.
package final class AttachedController: Sendable {
  package let controller: Controller
  let transport: AlternatingTransport<AddressedTransport>

  private struct Text {
    /// Nil: of none.
    var association: UInt64?
    var members = JSONObject()
  }

  /// Asked for with each namespace again and again.
  private let text = Mutex(Text())

  init(controller: Controller, transport: AlternatingTransport<AddressedTransport>) {
    self.controller = controller
    self.transport = transport
  }

  /// What it was attached by; of several addresses the one in use.
  package var request: AttachRequest { transport.all[0].request }
  /// The address in use, then the alternates.
  package var addresses: [TransportAddress] { transport.all.map(\.address) }

  /// What is printed of a controller's identification, which an association has once and for all.
  ///
  /// - Parameter make: puts it together, unless that has been done for the association while it was there.
  func identificationText(association: UInt64, _ make: (Controller.Snapshot) -> JSONObject) -> JSONObject {
    if let known = text.withLock({ $0.association == association ? $0.members : nil }) { return known }
    let snapshot = controller.snapshot
    let members = make(snapshot)
    // While the controller is being connected anew, what is known of it is still the former association's.
    if snapshot.state == .enabled && snapshot.association == association {
      text.withLock { $0 = Text(association: association, members: members) }
    }
    return members
  }

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
