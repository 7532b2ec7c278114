import ArgumentParser
import BlockDevice

/// `nvmeof dsm`.
struct DatasetManagementCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dsm",
    abstract: "Give blocks back to the device (deallocate).",
    discussion: """
      What the blocks read as afterwards is the device's affair; "nvmeof write-zeroes --deac" has them read as zeroes. \
      Without a count it is one block.

      EXAMPLES
        nvmeof dsm 'nvme+tcp://192.0.2.1/NQN?nsid=1' --ad --start-block 2048 --blocks 1M
        nvmeof dsm -a 192.0.2.1 -n NQN --namespace-id 1 --ad --data-size 10G

      """ + ExitStatus.help)

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup var place: DeviceOptions

  @Flag(name: .customLong("ad"), help: "Deallocate: of what Dataset Management can do the one thing that is here")
  var deallocates = false

  func validate() throws {
    if !deallocates { throw ValidationError("give --ad: deallocating is all that dsm does here") }
  }

  func run() async throws {
    try await blocks.carryOut(.discard, [], on: place)
  }
}
