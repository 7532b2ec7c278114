import ArgumentParser
import BlockDevice

/// Which namespace of which target, and how we want to be connected: what commands on one namespace take.
struct DeviceOptions: ParsableArguments {
  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Target") var namespace: NamespaceOptions
  @OptionGroup(title: "Host") var host: HostOptions

  /// The target and namespace that are meant; without a namespace it is the only one there is.
  ///
  /// - Throws: ``ToolError`` of kind usage.
  func resolve() throws(ToolError) -> TargetIdentifier {
    var target = try address.resolve(.subsystem)
    if let identifier = namespace.identifier { target.namespaceIdentifier = identifier }
    return target
  }

  /// Runs `body` with the block device of what ``resolve()`` has returned, connected for the time of it.
  func withDevice(of target: TargetIdentifier, _ body: (NVMeBlockDevice) async throws -> Void) async throws {
    try await Session.run(host: host, target: target) { controller in
      try await body(try controller.device(target.namespaceIdentifier))
    }
  }
}
