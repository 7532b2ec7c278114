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

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup(title: "Blocks") var blocks: BlockRangeOptions
  @OptionGroup(title: "Host") var host: HostOptions

  @Option(
    name: [.customShort("d"), .customLong("data")],
    help: ArgumentHelp("Where the data comes from (default: -, standard input)", valueName: "file"))
  var dataPath: String = "-"

  @Flag(help: "Flush the device's cache afterwards")
  var flush = false

  static let maximumByteCount = 1 << 30

  func run() async throws {
    let target = try address.resolve(.subsystem)
    // The file first: nothing is connected for one that is not there. How much of it is asked for in blocks is known
    // only with the device's block size; without a number it is all of it.
    let file = try LocalFile(reading: dataPath)
    let all = blocks.isCounted ? nil : try read(file, atMost: UInt64(Self.maximumByteCount) + 1)
    try await Session.run(host: host, target: target) { controller in
      let device = try controller.device(namespace.identifier ?? target.namespaceIdentifier)
      let geometry = device.geometry
      let size = UInt64(geometry.blockByteCount)
      let count: UInt64
      let bytes: [UInt8]
      if let wanted = try blocks.blockCount(geometry) {
        count = wanted
        try blocks.check(count, geometry, name: device.name)
        bytes = try read(file, atMost: count * size)
        guard bytes.count == count * size else {
          throw ToolError.usage("\(count) blocks of \(size) bytes are asked for, but the data has \(bytes.count) bytes")
        }
      } else {
        bytes = all ?? []
        guard !bytes.isEmpty else { throw ToolError.usage("there is no data to write") }
        guard UInt64(bytes.count) % size == 0 else {
          throw ToolError.usage("the data has \(bytes.count) bytes, which do not fill whole blocks of \(size) bytes")
        }
        count = UInt64(bytes.count) / size
        try blocks.check(count, geometry, name: device.name)
      }
      try await write(bytes, count: count, to: device)
    }
  }

  private func read(_ file: borrowing LocalFile, atMost byteCount: UInt64) throws -> [UInt8] {
    let bytes = try file.read(limit: Int(min(byteCount, UInt64(Self.maximumByteCount) + 1)))
    guard bytes.count <= Self.maximumByteCount else {
      throw ToolError.usage("write takes up to 1 GiB at once; for more there is \"nvmeof copy\"")
    }
    return bytes
  }

  private func write(_ bytes: [UInt8], count: UInt64, to device: any BlockDevice) async throws {
    let geometry = device.geometry
    let first = blocks.startBlock.value
    let size = Int(geometry.blockByteCount)
    try await BlockRangeOptions.forEachPiece(start: first, count: count, geometry) { start, count in
      let buffer = CopyBuffer(byteCount: Int(count) * size)
      let offset = Int(start - first) * size
      buffer.bytes.copyBytes(from: bytes[offset..<offset + buffer.bytes.count])
      do throws(BlockError) {
        try await device.write(
          at: start, from: UnsafeRawBufferPointer(buffer.bytes),
          options: blocks.forceUnitAccess ? .forceUnitAccess : [])
      } catch { throw ToolError(error) }
    }
    guard flush else { return }
    do throws(BlockError) { try await device.flush() } catch { throw ToolError(error) }
  }
}
