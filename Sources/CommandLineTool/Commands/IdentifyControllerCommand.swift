import ArgumentParser
import BlockDevice

/// `nvmeof id-ctrl`.
struct IdentifyControllerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "id-ctrl",
    abstract: "Show a controller's Identify data.",
    discussion: """
      EXAMPLES
        nvmeof id-ctrl nvme+tcp://192.0.2.1:4420/NQN
        nvmeof id-ctrl -H -t tcp -a 192.0.2.1 -s 4420 -n NQN
        nvmeof id-ctrl nvme+tcp://192.0.2.1/NQN -o json | jq .mdts
        nvmeof id-ctrl nvme+tcp://192.0.2.1/NQN -b > id-ctrl.bin

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let (data, pageBytes) = try await Session.run(host: host, target: target) { controller in
      let reply = try await controller.require(
        "Identify Controller", .identify(.controller), dataInByteCount: IdentifyController.byteCount)
      return (reply.data, controller.snapshot.capabilities.minimumPageBytes)
    }
    let identify = try decoding { () throws(DecodingError) in try IdentifyController(decoding: data) }
    output.show(IdentifyControllerReport.make(identify, minimumPageBytes: pageBytes), raw: data)
  }
}
