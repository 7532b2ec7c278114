import ArgumentParser
import BlockDevice
import JSON
import ToolSupport

/// `nvmeof get-feature`.
struct GetFeatureCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get-feature",
    abstract: "Show the value of a feature, or of all that the controller knows.",
    discussion: """
      EXAMPLES
        nvmeof get-feature nvme+tcp://192.0.2.1/NQN --feature-id 7 -H
        nvmeof get-feature nvme+tcp://192.0.2.1/NQN --feature-id 0x0f --sel 3 -H
        nvmeof get-feature nvme+tcp://192.0.2.1/NQN -o json

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup var namespace: NamespaceOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Option(
    name: [.customShort("f"), .customLong("feature-id")],
    help: ArgumentHelp("The feature, 1 to 0xff (default: all that answer)", valueName: "fid"))
  var feature: ByteCount?

  @Option(
    name: [.customShort("S"), .customLong("sel")],
    help: ArgumentHelp("0 current, 1 default, 2 saved value, 3 capabilities", valueName: "value"))
  var select: UInt8 = 0

  @Option(name: .customLong("cdw11"), help: ArgumentHelp("Dword 11 of the command", valueName: "value"))
  var dword11: ByteCount?

  @Option(
    name: [.customShort("l"), .customLong("data-len")],
    help: ArgumentHelp("Bytes of data that the feature has (default: what is known of it)", valueName: "bytes"))
  var byteCount: ByteCount?

  func validate() throws {
    if let feature, !(1...0xFF).contains(feature.value) {
      throw ValidationError("--feature-id is 1 to 0xff, not \(feature)")
    }
    if select > 3 { throw ValidationError("--sel is 0 to 3, not \(select)") }
    if let byteCount, byteCount.value % 4 != 0 || byteCount.value > 4096 {
      throw ValidationError("--data-len is a multiple of 4 up to 4096, not \(byteCount)")
    }
    if let dword11, dword11.value > UInt32.max { throw ValidationError("--cdw11 has 32 bits") }
    if feature == nil, output.effectiveFormat == .binary { throw ValidationError("-b needs --feature-id") }
  }

  private struct Answer {
    var feature: FeatureIdentifier
    var reply: AdminReply
  }

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let select = SubmissionQueueEntry.FeatureSelect(rawValue: select) ?? .current
    let answers = try await Session.run(host: host, target: target) { controller in
      let identifier = namespace.identifier ?? target.namespaceIdentifier ?? 0
      if let feature {
        let feature = FeatureIdentifier(rawValue: UInt8(feature.value))
        return [try await get(feature, select, identifier, controller)]
      }
      var answers: [Answer] = []
      for number in UInt8(1)...0xFF {
        let feature = FeatureIdentifier(rawValue: number)
        guard feature.name != nil else { continue }
        do throws(ToolError) { answers.append(try await get(feature, select, identifier, controller)) } catch {
          // What it does not know is left out; what ends the connection ends us.
          if error.status != .deviceError { throw error }
        }
      }
      return answers
    }
    show(answers, select)
  }

  private func get(
    _ feature: FeatureIdentifier, _ select: SubmissionQueueEntry.FeatureSelect, _ identifier: UInt32,
    _ controller: Controller
  ) async throws(ToolError) -> Answer {
    let known = select == .supportedCapabilities ? 0 : FeatureReport.dataByteCount(feature)
    // Over fabrics, host identifiers have 128 bits (NVMe Base 2.1, section 5.1.25.1.28).
    let value = dword11.map { UInt32($0.value) } ?? (feature == .hostIdentifier ? HostIdentifierFeature.extended : 0)
    let reply = try await controller.require(
      "Get Features (\(feature.name ?? "FID \(feature.rawValue)"))",
      .getFeatures(feature, select: select, namespaceIdentifier: identifier, value: value),
      dataInByteCount: byteCount.map { Int($0.value) } ?? known)
    return Answer(feature: feature, reply: reply)
  }

  private func show(_ answers: [Answer], _ select: SubmissionQueueEntry.FeatureSelect) {
    switch output.effectiveFormat {
    case .binary: for answer in answers { Console.write(answer.reply.data) }
    case .json:
      let values = answers.map {
        FeatureReport.json($0.feature, select: select, value: $0.reply.result, data: $0.reply.data)
      }
      Console.print(feature == nil ? .array(values) : values[0])
    case .normal:
      for answer in answers {
        Console.print(
          FeatureReport.text(
            answer.feature, select: select, value: answer.reply.result, data: answer.reply.data,
            isHuman: output.isHuman))
      }
    }
  }
}
