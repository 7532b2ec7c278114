import ArgumentParser
import BlockDevice

/// `nvmeof write`.
struct WriteCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "write",
    abstract: "Write blocks.",
    discussion: """
      The data must fill whole blocks. Without a count, all of it is written; with one, there must be so much.

      EXAMPLES
        nvmeof write 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 2048 --data part.bin
        head -c 4096 /dev/urandom | nvmeof write 'nvme+tcp://192.0.2.1/NQN?nsid=1' --flush
        nvmeof write -a 192.0.2.1 -n NQN --namespace-id 1 --start-block 8 -c 0 -d block.bin -f

      For much data there is "nvmeof copy".

      """ + ExitStatus.help)

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Blocks") var access: ForceUnitAccessOptions
  @OptionGroup var place: DeviceOptions

  @Option(
    name: [.customShort("d"), .customLong("data")],
    help: ArgumentHelp("Where the data comes from (default: -, standard input)", valueName: "file"))
  var dataPath: String = "-"

  @Flag(help: "Flush the device's cache afterwards")
  var flush = false

  func run() async throws {
    let target = try place.resolve()
    let data = try BlockData(path: dataPath, blocks: blocks)
    try await place.withDevice(of: target) { device in
      try await data.forEachPiece(of: device) { start, bytes throws(BlockError) in
        try await device.write(at: start, from: UnsafeRawBufferPointer(bytes), options: access.blockOptions)
      }
      guard flush else { return }
      do throws(BlockError) { try await device.flush() } catch { throw ToolError(error) }
    }
  }
}
