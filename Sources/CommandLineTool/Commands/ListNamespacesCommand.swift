import ArgumentParser
import BlockDevice
import JSON

/// `nvmeof list-ns`.
struct ListNamespacesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list-ns",
    abstract: "Show the identifiers of a controller's namespaces.",
    discussion: """
      "nvmeof list" shows what the namespaces are.

      EXAMPLES
        nvmeof list-ns nvme+tcp://192.0.2.1/NQN
        nvmeof list-ns -a 192.0.2.1 -n NQN --all
        nvmeof list-ns nvme+tcp://192.0.2.1/NQN -o json | jq '.nsid_list[].nsid'

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Flag(name: .customLong("all"), help: "All that the subsystem has (allocated), not only this controller's (active)")
  var isAllocated = false

  func validate() throws {
    if output.effectiveFormat == .binary { throw ValidationError("list-ns has no binary output") }
  }

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let identifiers = try await Session.run(host: host, target: target) { try await list($0) }
    if output.format == .json {
      Console.print(["nsid_list": .array(identifiers.map { ["nsid": .integer($0)] })])
    } else if identifiers.isEmpty {
      Console.note("there are no namespaces")
    } else {
      let lines = identifiers.enumerated().map {
        "[\(String($0.offset).leftPadded(to: 4))]:0x\(String($0.element, radix: 16))"
      }
      Console.print(lines.joined(separator: "\n"))
    }
  }

  /// A list has 1,024 at most, those beyond the one that it is asked for (NVMe Base 2.1, section 5.1.13.2.2).
  private func list(_ controller: Controller) async throws -> [UInt32] {
    var identifiers: [UInt32] = []
    while true {
      let reply = try await controller.require(
        "Identify (namespace list)",
        .identify(
          isAllocated ? .allocatedNamespaceList : .activeNamespaceList, namespaceIdentifier: identifiers.last ?? 0),
        dataInByteCount: NamespaceIdentifierList.byteCount)
      let list = try decoding { () throws(DecodingError) in try NamespaceIdentifierList(decoding: reply.data) }
      // What does not ascend would never end.
      guard list.identifiers.first.map({ $0 > identifiers.last ?? 0 }) ?? true else {
        throw ToolError(.deviceError, "the controller's list of namespaces does not ascend")
      }
      identifiers += list.identifiers
      if !list.isFull { return identifiers }
    }
  }
}
