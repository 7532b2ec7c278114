import ArgumentParser
import BlockDevice

/// `nvmeof flush`.
struct FlushCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "flush",
    abstract: "Have a namespace put on stable media what it has been sent.",
    discussion: """
      EXAMPLES
        nvmeof flush 'nvme+tcp://192.0.2.1/NQN?nsid=1'
        nvmeof flush -a 192.0.2.1 -n NQN --namespace-id 1

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup(title: "Host") var host: HostOptions

  func run() async throws {
    let target = try address.resolve(.subsystem)
    try await Session.run(host: host, target: target) { controller in
      let device = try controller.device(namespace.identifier ?? target.namespaceIdentifier)
      do throws(BlockError) { try await device.flush() } catch { throw ToolError(error) }
    }
  }
}
