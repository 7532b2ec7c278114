package import BlockExport
internal import NBDProtocol
internal import NBDServer
internal import RingReactor

/// A registered device that is exported, and the server whose clients may have it.
package struct ServedDevice: Sendable {
  package let export: Export
  package let device: RegisteredDevice
  /// The Unix-domain socket that serves this device alone (`nbd_start_disk`); nil where the daemon's own sockets do.
  package let socketPath: String?
  let server: NBDServer

  /// Where clients find it.
  package var uris: [String] {
    let isSecure = server.security.policy != .none
    return server.addresses.map { NBDAddress.uri($0, exportName: export.name, isSecure: isSecure) }
  }
}
