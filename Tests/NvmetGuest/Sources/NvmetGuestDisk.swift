/// A disk of a guest that an NBD server on the host serves.
public struct NvmetGuestDisk: Sendable {
  /// The path of the server's Unix-domain socket.
  public var socketPath: String
  public var exportName: String

  public init(socketPath: String, exportName: String) {
    self.socketPath = socketPath
    self.exportName = exportName
  }

  /// What QEMU's command line says of the disk that is the `index`th.
  func arguments(_ index: Int) -> [String] {
    let server = "driver=nbd,server.type=unix,server.path=\(socketPath),export=\(exportName)"
    return [
      "-blockdev", "\(server),node-name=disk\(index),cache.direct=on,discard=unmap",
      "-device", "virtio-blk-pci,drive=disk\(index)",
    ]
  }
}
