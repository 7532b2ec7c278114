import ArgumentParser
import BlockDevice

/// `nvmeof id-ns`.
struct IdentifyNamespaceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "id-ns",
    abstract: "Show a namespace's Identify data.",
    discussion: """
      EXAMPLES
        nvmeof id-ns 'nvme+tcp://192.0.2.1:4420/NQN?nsid=1'
        nvmeof id-ns -H -t tcp -a 192.0.2.1 -s 4420 -n NQN --namespace-id 1
        nvmeof id-ns 'nvme+tcp://192.0.2.1/NQN?nsid=1' -o json | jq .nsze

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let (data, identifier) = try await Session.run(host: host, target: target) { controller in
      let identifier = try controller.namespaceIdentifier(namespace.identifier ?? target.namespaceIdentifier)
      let reply = try await controller.require(
        "Identify Namespace", .identify(.namespace, namespaceIdentifier: identifier),
        dataInByteCount: IdentifyNamespace.byteCount)
      return (reply.data, identifier)
    }
    let identify = try decoding { () throws(DecodingError) in try IdentifyNamespace(decoding: data) }
    output.show(IdentifyNamespaceReport.make(identify, identifier: identifier), raw: data)
  }
}
