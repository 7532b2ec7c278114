import ArgumentParser
import BlockDevice
import ToolOutput
import ToolSupport

/// `nvmeof read`.
struct ReadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "read",
    abstract: "Read blocks.",
    discussion: """
      Without --data, the blocks are shown in hexadecimal on a terminal, and written as they are to a pipe or file.

      EXAMPLES
        nvmeof read 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 0 --blocks 2
        nvmeof read 'nvme+tcp://192.0.2.1/NQN?nsid=1' --start-block 2048 --data-size 1M --data part.bin
        nvmeof read -a 192.0.2.1 -n NQN --namespace-id 1 -c 7 --hexdump | less

      For much data there is "nvmeof copy".

      """ + ExitStatus.help)

  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Blocks") var access: ForceUnitAccessOptions
  @OptionGroup var place: DeviceOptions

  @Option(
    name: [.customShort("d"), .customLong("data")],
    help: ArgumentHelp("Where the data goes; - for standard output", valueName: "file"))
  var dataPath: String?

  @Flag(name: [.customShort("x"), .customLong("hexdump")], help: "Show the data in hexadecimal")
  var isHexdump = false

  func validate() throws {
    if isHexdump, dataPath != nil { throw ValidationError("give --data or --hexdump, not both") }
  }

  func run() async throws {
    try await place.withDevice(of: try place.resolve()) { device in
      let geometry = device.geometry
      let count = try blocks.blockCount(geometry) ?? 1
      try blocks.check(count, geometry, name: device.name)
      let showsHexdump = isHexdump || dataPath == nil && Console.isOutputTerminal
      let file = showsHexdump ? nil : try Self.output(dataPath ?? "-")
      try await Self.read(device, start: blocks.startBlock.value, count: count, options: access.blockOptions) {
        bytes, offset in
        guard let file else { return Console.print(Hexdump.text(bytes, base: offset)) }
        do throws(OutputError) { try file.write(bytes) } catch { throw ToolError.local("\(error)") }
      }
    }
  }

  private static func output(_ path: String) throws(ToolError) -> OutputFile {
    if path == "-" { return .standardOutput }
    do throws(OutputError) { return try OutputFile(path: path) } catch { throw .local("\(error)") }
  }

  private static func read(
    _ device: any BlockDevice, start: UInt64, count: UInt64, options: BlockOptions,
    _ body: ([UInt8], UInt64) throws -> Void
  ) async throws {
    let geometry = device.geometry
    try await BlockRangeOptions.forEachPiece(start: start, count: count, geometry) { start, count in
      let buffer = CopyBuffer(byteCount: Int(count) * Int(geometry.blockByteCount))
      do throws(BlockError) {
        try await device.read(at: start, into: buffer.bytes, options: options)
      } catch { throw ToolError(error) }
      try body([UInt8](buffer.bytes), start * UInt64(geometry.blockByteCount))
    }
  }
}
