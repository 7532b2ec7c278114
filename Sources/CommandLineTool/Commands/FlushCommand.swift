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

  @OptionGroup var place: DeviceOptions

  func run() async throws {
    try await place.withDevice(of: try place.resolve()) { device in
      do throws(BlockError) { try await device.flush() } catch { throw ToolError(error) }
    }
  }
}
