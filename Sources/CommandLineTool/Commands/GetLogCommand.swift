import ArgumentParser
import BlockDevice
import JSON
import ToolSupport

/// `nvmeof get-log`.
struct GetLogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get-log",
    abstract: "Show a log page.",
    discussion: """
      The pages named below are decoded, others dumped in hexadecimal; for those --log-len is needed. Pieces of a page \
      that cannot be decoded by themselves are dumped, too. nvme-cli's own names are understood: smart-log, error-log, \
      fw-log, ana-log, effects-log, changed-ns-list-log and supported-log-pages.

      EXAMPLES
        nvmeof get-log nvme+tcp://192.0.2.1/NQN --log-id smart
        nvmeof error-log nvme+tcp://192.0.2.1/NQN --log-entries 10
        nvmeof get-log nvme+tcp://192.0.2.1/NQN --log-id ana -o json
        nvmeof get-log -a 192.0.2.1 -n NQN --log-id 0x80 --log-len 64 -b > page.bin

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Option(
    name: .customLong("log-id"),
    help: "The page: supported, error, smart, firmware, changed-ns, effects, ana, or a number")
  var page: LogPageArgument

  @Option(
    name: [.customLong("namespace-id"), .customLong("nsid")],
    help: ArgumentHelp("The namespace whose page it is (default: none, the controller's page)", valueName: "nsid"),
    transform: { try NamespaceOptions.number($0) })
  var namespace: UInt32?

  @Option(
    name: [.customShort("l"), .customLong("log-len")],
    help: ArgumentHelp("Bytes to read, a multiple of 4 (default: the page's length)", valueName: "bytes"))
  var byteCount: ByteCount?

  @Option(
    name: [.customShort("e"), .customLong("log-entries")],
    help: ArgumentHelp("Entries of the error page to read (default: all)", valueName: "count"))
  var entryCount: UInt32?

  @Option(
    name: .customLong("lpo"), help: ArgumentHelp("Offset in the page, a multiple of 4 (default 0)", valueName: "bytes"))
  var offset: ByteCount?

  @Option(name: .customLong("lsp"), help: ArgumentHelp("Log specific parameter, 0 to 127", valueName: "value"))
  var specificParameter: UInt8 = 0

  @Option(name: .customLong("lsi"), help: ArgumentHelp("Log specific identifier", valueName: "value"))
  var specificIdentifier: UInt16 = 0

  @Flag(name: .customLong("rae"), help: "Retain the page's asynchronous event")
  var retainsEvent = false

  static let maximumByteCount: UInt64 = 256 << 20

  func validate() throws {
    if namespace == 0 { throw ValidationError("--namespace-id is 1 or more, or 0xffffffff for the controller's page") }
    if let byteCount, byteCount.value == 0 || byteCount.value % 4 != 0 || byteCount.value > Self.maximumByteCount {
      throw ValidationError("--log-len is a multiple of 4 from 4 to 256 MiB, not \(byteCount)")
    }
    if let entryCount {
      guard page.page == .errorInformation, byteCount == nil else {
        throw ValidationError("--log-entries is for the error page, and not beside --log-len")
      }
      // ELPE is a byte, zeroes based (NVMe Base 2.1, figure 312).
      guard (1...256).contains(entryCount) else {
        throw ValidationError("--log-entries is 1 to 256, not \(entryCount)")
      }
    }
    if let offset, offset.value % 4 != 0 { throw ValidationError("--lpo is a multiple of 4, not \(offset)") }
    if specificParameter > 127 { throw ValidationError("--lsp is 0 to 127, not \(specificParameter)") }
  }

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let (data, isWhole) = try await Session.run(host: host, target: target) { controller in
      let whole = Result { try Self.defaultByteCount(page.page, controller.snapshot) }
      let asked = byteCount.map { Int($0.value) } ?? entryCount.map { Int($0) * ErrorInformationEntry.byteCount }
      let byteCount = try asked ?? whole.get()
      // Nobody knows how long a page is that this tool does not: it is not decoded either.
      let isWhole = (try? whole.get()).map { byteCount >= $0 } ?? false
      return (try await read(controller, byteCount: byteCount, target: target), isWhole)
    }
    if output.effectiveFormat == .binary {
      Console.write(data)
      return
    }
    let report = try report(data, isWhole: isWhole, device: target.subsystemNQN)
    if output.format == .json {
      let raw: JSONValue = [
        "lid": .integer(page.page.rawValue), "data": .string(data.map { $0.hexadecimal(digits: 2) }.joined()),
      ]
      Console.print(report?.json ?? raw)
    } else if let report {
      Console.print(report.text)
    } else {
      Console.print("Device:\(target.subsystemNQN) log-id:\(page.page.rawValue) namespace-id:\(namespaceText)")
      Console.print(Hexdump.text(data, base: offset?.value ?? 0))
    }
  }

  /// - Returns: nil for what cannot be decoded: pages that this tool does not know, and pieces of those it does.
  private func report(_ data: [UInt8], isWhole: Bool, device: String) throws(ToolError) -> LogPageReport? {
    if (offset?.value ?? 0) > 0 { return nil }
    do throws(DecodingError) {
      return try LogPageReport.make(page.page, data: data, device: device, isHuman: output.isHuman)
    } catch {
      // A page's beginning may be enough, as of a list, or not; that is not the controller's fault.
      if !isWhole { return nil }
      throw .malformed(error)
    }
  }

  /// A page that is no namespace's is asked for with all bits set (NVMe Base 2.1, section 5.1.12).
  private var namespaceIdentifier: UInt32 { namespace ?? .max }
  private var namespaceText: String { "0x" + namespaceIdentifier.hexadecimal() }

  /// In pieces of at most MDTS, which all but the smallest pages may need.
  private func read(_ controller: Controller, byteCount: Int, target: TargetIdentifier) async throws -> [UInt8] {
    let limit = max(4096, min(controller.snapshot.maximumTransferByteCount ?? 65_536, 65_536))
    let start = offset?.value ?? 0
    guard !start.addingReportingOverflow(UInt64(byteCount - 1)).overflow else {
      throw ToolError.usage("--lpo and --log-len reach beyond 64 bits")
    }
    var data: [UInt8] = []
    while data.count < byteCount {
      let count = min(limit, byteCount - data.count)
      let isLast = data.count + count == byteCount
      let reply = try await controller.require(
        "Get Log Page (\(page.page.name ?? "LID \(page.page.rawValue)"))",
        .getLogPage(
          page.page, namespaceIdentifier: namespaceIdentifier, byteCount: count, offset: start + UInt64(data.count),
          specificParameter: specificParameter, specificIdentifier: specificIdentifier,
          retainAsynchronousEvent: retainsEvent || !isLast),
        dataInByteCount: count)
      data += reply.data
    }
    return data
  }

  static func defaultByteCount(
    _ page: LogPageIdentifier, _ snapshot: Controller.Snapshot
  ) throws(ToolError) -> Int {
    let identification = snapshot.identification
    switch page {
    case .supportedLogPages: return SupportedLogPages.byteCount
    case .errorInformation:
      return ErrorInformationEntry.byteCount * (Int(identification?.errorLogPageEntries ?? 0) + 1)
    case .smartHealth: return SMARTHealthLog.byteCount
    case .firmwareSlot: return FirmwareSlotLog.byteCount
    case .changedNamespaceList: return ChangedNamespaceList.byteCount
    case .commandsSupportedAndEffects: return CommandEffectsLog.byteCount
    case .asymmetricNamespaceAccess:
      let most = identification.map {
        $0.maximumAllowedNamespaces != 0 ? $0.maximumAllowedNamespaces : $0.namespaceCount
      }
      let byteCount = ANALog.byteCount(
        groupCount: Int(min(identification?.anaGroupCount ?? 0, 65_535)), namespaceCount: Int(most ?? 0))
      // What a stranger says of itself does not make us take any amount of memory.
      return min(byteCount, Int(maximumByteCount) / 16) & ~3
    default: throw .usage("how long log page 0x\(page.rawValue.hexadecimal(digits: 2)) is is not known: give --log-len")
    }
  }
}
