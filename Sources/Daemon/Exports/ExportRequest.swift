internal import BlockExport
internal import JSONRPC

/// What `nbd_export_start` asks for, and what is written into the configuration of it.
struct ExportRequest: Sendable, Hashable {
  var deviceName: String
  var configuration: ExportConfiguration

  init(_ parameters: inout RPCParameters) throws(RPCParameterError) {
    deviceName = try parameters.required("bdev_name")
    configuration = ExportConfiguration(name: try parameters.optional("name", default: deviceName))
    configuration.description = try parameters.optional("description", default: "")
    configuration.isReadOnly = try parameters.optional("read_only", default: false)
    configuration.maximumTransferByteCount = try parameters.optional(
      "max_transfer_bytes", default: configuration.maximumTransferByteCount)
  }

  /// The call that makes the export again.
  static func entry(_ served: ServedDevice) -> ConfigurationEntry {
    let configuration = served.export.configuration
    return ConfigurationEntry(
      "nbd_export_start",
      [
        "bdev_name": .string(served.device.name), "name": .string(configuration.name),
        "description": .string(configuration.description), "read_only": .bool(configuration.isReadOnly),
        "max_transfer_bytes": .integer(configuration.maximumTransferByteCount),
      ], about: served.device)
  }

  /// Under which name the first of the calls of a configuration exports its device.
  static func firstName(in calls: some Sequence<ConfigurationEntry>) -> String? {
    calls.first { $0.method == "nbd_export_start" }.flatMap { $0.parameters?["name"]?.stringValue ?? $0.deviceName }
  }
}
