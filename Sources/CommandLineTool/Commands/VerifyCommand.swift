import ArgumentParser
import BlockDevice

/// `nvmeof verify`.
struct VerifyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Have the device check that blocks can be read, without sending them.",
    discussion: """
      Without a count it is one block.

      EXAMPLES
        nvmeof verify 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 2048 --blocks 1M
        nvmeof verify -a 192.0.2.1 -n NQN --namespace-id 1 --data-size 10G

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Host") var host: HostOptions

  func validate() throws {
    if blocks.forceUnitAccess { throw ValidationError("--force-unit-access is not for verify here") }
  }

  func run() async throws {
    try await blocks.carryOut(.verify, [], host: host, target: address, namespace: namespace)
  }
}
