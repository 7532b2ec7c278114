import ArgumentParser
import BlockDevice

/// `nvmeof compare`.
struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Have the device compare blocks with data; exit status 5 tells of a difference.",
    discussion: """
      The data must fill whole blocks. Without a count, all of it is compared; with one, there must be so much.

      EXAMPLES
        nvmeof compare 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 2048 --data part.bin
        nvmeof compare -a 192.0.2.1 -n NQN --namespace-id 1 -c 0 -d block.bin

      For much data, and for devices without Compare, there is "nvmeof copy --verify-only".

      """ + ExitStatus.help)

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Blocks") var access: ForceUnitAccessOptions
  @OptionGroup var place: DeviceOptions

  @Option(
    name: [.customShort("d"), .customLong("data")],
    help: ArgumentHelp("Where the data comes from (default: -, standard input)", valueName: "file"))
  var dataPath: String = "-"

  func run() async throws {
    let target = try place.resolve()
    let data = try BlockData(path: dataPath, blocks: blocks)
    try await place.withDevice(of: target) { device in
      try await data.forEachPiece(of: device) { start, bytes throws(BlockError) in
        try await device.perform(
          BlockRequest(
            .compare, logicalBlockAddress: start,
            blockCount: UInt32(bytes.count / Int(device.geometry.blockByteCount)), buffer: bytes,
            options: access.blockOptions))
      }
    }
  }
}
