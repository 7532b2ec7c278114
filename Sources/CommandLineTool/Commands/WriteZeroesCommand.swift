import ArgumentParser
import BlockDevice

/// `nvmeof write-zeroes`.
struct WriteZeroesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write-zeroes",
    abstract: "Have blocks read as zeroes, without sending any.",
    discussion: """
      Without a count it is one block.

      EXAMPLES
        nvmeof write-zeroes 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 2048 --blocks 1M
        nvmeof write-zeroes 'nvme+tcp://192.0.2.1/NQN?nsid=1' --data-size 1G --deac

      """ + ExitStatus.help)

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Blocks") var access: ForceUnitAccessOptions
  @OptionGroup var place: DeviceOptions

  @Flag(name: [.customShort("D"), .customLong("deac")], help: "The device may deallocate the blocks")
  var deallocates = false

  func run() async throws {
    let options: BlockOptions = deallocates ? [] : .noHole
    try await blocks.carryOut(.writeZeroes, options.union(access.blockOptions), on: place)
  }
}
