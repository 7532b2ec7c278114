internal import BlockExport
internal import Glibc
internal import JSONRPC

/// Exports: SPDK's three methods, with the path of a Unix-domain socket in place of a kernel's device, and our own for
/// exports that share the daemon's sockets.
enum ExportMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    let exports = service.exports
    return disks(exports) + named(exports)
  }

  private static func disks(_ exports: ExportService) -> [RPCMethod] {
    struct Disk: Sendable { var device: String, path: String? }
    return [
      RPCMethod(
        "nbd_start_disk",
        decode: { parameters throws(RPCParameterError) in
          Disk(
            device: try parameters.required("bdev_name"), path: try parameters.optional("nbd_device", as: String.self))
        },
        body: { disk async throws(RPCError) in
          guard let path = disk.path else {
            throw .system(ENODEV, detail: "nbd_device: there is no free /dev/nbdX; give the path of a Unix socket")
          }
          try await exports.startDisk(device: disk.device, path: path)
          return .string(path)
        }),
      RPCMethod(
        "nbd_stop_disk",
        decode: { parameters throws(RPCParameterError) in try parameters.required("nbd_device", as: String.self) },
        body: { path async throws(RPCError) in
          try await exports.stopDisk(path: path)
          return true
        }),
      RPCMethod(
        "nbd_get_disks",
        decode: { parameters throws(RPCParameterError) in try parameters.optional("nbd_device", as: String.self) },
        body: { path throws(RPCError) in
          let disks = exports.served.filter { $0.socketPath != nil && (path == nil || $0.socketPath == path) }
          if path != nil && disks.isEmpty { throw .noSuchDevice }
          return .array(
            disks.map { ["nbd_device": .string($0.socketPath ?? ""), "bdev_name": .string($0.device.name)] })
        }),
    ]
  }

  private static func named(_ exports: ExportService) -> [RPCMethod] {
    [
      RPCMethod(
        "nbd_export_start",
        decode: { parameters throws(RPCParameterError) in try ExportRequest(&parameters) },
        body: { request throws(RPCError) in
          value(try exports.start(device: request.deviceName, request.configuration))
        }),
      RPCMethod(
        "nbd_export_stop",
        decode: { parameters throws(RPCParameterError) in try parameters.required("name", as: String.self) },
        body: { name async throws(RPCError) in
          try await exports.stop(name: name)
          return true
        }),
      RPCMethod(
        "nbd_get_exports",
        decode: { parameters throws(RPCParameterError) in try parameters.optional("name", as: String.self) },
        body: { name throws(RPCError) in
          let served = exports.served.filter { name == nil || $0.export.name == name }
          if name != nil && served.isEmpty { throw .system(ENOENT) }
          return .array(served.map(value))
        }),
    ]
  }

  private static func value(_ served: ServedDevice) -> JSONValue {
    let export = served.export
    let limits = export.limits
    return [
      "name": .string(export.name), "bdev_name": .string(served.device.name),
      "description": .string(export.configuration.description), "read_only": .bool(limits.isReadOnly),
      "num_bytes": .integer(limits.byteCount), "block_size": .integer(limits.blockByteCount),
      "uris": .array(served.uris.map { .string($0) }),
      "clients": .array(
        export.clients.map { ["back_end": .string($0.backEnd), "peer": .string($0.peer)] }),
    ]
  }
}
