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
    // The data first: nothing is connected for a file that is not there.
    let file = try LocalFile(reading: dataPath)
    let limit = blocks.byteCount.map { Int(min($0.value, UInt64(Self.maximumByteCount) + 1)) }
    let bytes = try file.read(limit: limit ?? Self.maximumByteCount + 1)
    guard bytes.count <= Self.maximumByteCount else {
      throw ToolError.usage("write takes up to 1 GiB at once; for more there is \"nvmeof copy\"")
    }
    try await Session.run(host: host, target: target) { controller in
      let device = try controller.device(namespace.identifier ?? target.namespaceIdentifier)
      let geometry = device.geometry
      let count = try blockCount(bytes, geometry)
      try blocks.check(count, geometry, name: device.name)
      try await write(bytes, count: count, to: device)
    }
  }

  private func blockCount(_ bytes: [UInt8], _ geometry: BlockGeometry) throws(ToolError) -> UInt64 {
    let size = UInt64(geometry.blockByteCount)
    if let count = try blocks.blockCount(geometry) {
      let (wanted, overflow) = count.multipliedReportingOverflow(by: size)
      guard !overflow, wanted <= UInt64(bytes.count) else {
        throw .usage("\(count) blocks of \(size) bytes are asked for, but the data has \(bytes.count) bytes")
      }
      return count
    }
    guard !bytes.isEmpty else { throw .usage("there is no data to write") }
    guard UInt64(bytes.count) % size == 0 else {
      throw .usage("the data has \(bytes.count) bytes, which do not fill whole blocks of \(size) bytes")
    }
    return UInt64(bytes.count) / size
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
