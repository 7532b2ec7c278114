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

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Blocks") var access: ForceUnitAccessOptions
  @OptionGroup var place: DeviceOptions

  func run() async throws {
    try await blocks.carryOut(.verify, access.blockOptions, on: place)
  }
}
