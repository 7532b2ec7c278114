internal import NVMeProtocol

/// The controller of one discovery service, for as long as the service is connected by the same name.
/// Used on the home reactor's thread only, hence safe to be named by whoever sends messages there.
final class DiscoveryLink: @unchecked Sendable {
  let service: DiscoveryServiceIdentifier
  let controller: Controller
  var observer: UInt64 = 0
  /// The reading under way.
  var reader: DiscoveryLogReader?
  /// Answers to an earlier reading's commands are recognised by it.
  var readNumber: UInt64 = 0

  init(service: DiscoveryServiceIdentifier, controller: Controller) {
    self.service = service
    self.controller = controller
  }
}
