import ArgumentParser
import BlockDevice
import Glibc
import Synchronization
import ToolSupport

/// `nvmeof copy`.
struct CopyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "copy",
    abstract: "Copy between a namespace and a file, a stream, or another namespace.",
    discussion: """
      SOURCE and DESTINATION are each a target with its namespace (nvme+tcp://HOST:PORT/NQN?nsid=1, or a transport \
      identifier), a file (./NAME where its name looks like a target), or - for standard input or output. Sizes take \
      K, M, G, T for powers of 1024. An existing file is replaced, unless the copy is resumed or goes to a \
      --destination-offset. If the source does not fill the destination's last block, zeroes do.

      A copy that fails or is interrupted (Ctrl-C) prints the --resume-from with which the same command goes on. \
      Pieces that fail are tried again in halves, so that the blocks reported are those that are bad.

      EXAMPLES
        nvmeof copy 'nvme+tcp://192.0.2.1/NQN?nsid=1' disk.img --sparse --verify
        nvmeof copy disk.img 'nvme+tcp://192.0.2.1/NQN?nsid=1' --depth 64
        nvmeof copy 'nvme+tcp://192.0.2.1/NQN?nsid=1' - | zstd > disk.img.zst
        zstdcat disk.img.zst | nvmeof copy - 'nvme+tcp://192.0.2.1/NQN?nsid=1'
        nvmeof copy 'nvme+tcp://a/NQN?nsid=1' 'nvme+tcp://b/NQN?nsid=1'
        nvmeof copy 'nvme+tcp://a/NQN?nsid=1' part.img --offset 1M --length 512M
        nvmeof copy 'nvme+tcp://a/NQN?nsid=1' disk.img --continue-on-error
        nvmeof copy 'nvme+tcp://a/NQN?nsid=1' disk.img --resume-from 734003200

      """ + ExitStatus.help)

  @Argument(help: "A target, a file, or -")
  var source: String

  @Argument(help: "A target, a file, or -")
  var destination: String

  @Option(help: ArgumentHelp("Where to begin at the source", valueName: "size"))
  var offset = ByteCount(0)

  @Option(help: ArgumentHelp("Where to begin at the destination", valueName: "size"))
  var destinationOffset = ByteCount(0)

  @Option(help: ArgumentHelp("How much to copy (default: to the source's end)", valueName: "size"))
  var length: ByteCount?

  @Option(help: ArgumentHelp("How much of it has been done before", valueName: "size"))
  var resumeFrom = ByteCount(0)

  @Option(help: ArgumentHelp("Pieces under way at once", valueName: "count"))
  var depth = 32

  @Option(help: ArgumentHelp("Size of a piece", valueName: "size"))
  var blockSize = ByteCount(256 << 10)

  @Flag(help: "Do not send zeroes: leave holes in files, use Write Zeroes on devices")
  var sparse = false

  @Flag(help: "Read both ends again after the copy and compare them")
  var verify = false

  @Flag(help: "Compare both ends, and copy nothing")
  var verifyOnly = false

  @Flag(help: "Leave out what cannot be copied, and list it at the end")
  var continueOnError = false

  @Option(help: ArgumentHelp("With --continue-on-error: stop after so many bad ranges", valueName: "count"))
  var maxErrors = 1024

  @Flag(help: "Show no progress")
  var quiet = false

  @Option(
    name: [.customShort("o"), .customLong("output-format"), .customLong("output")],
    help: ArgumentHelp("normal, or json: a report on standard output", valueName: "format"))
  var format = OutputFormat.normal

  @OptionGroup(title: "Host") var host: HostOptions

  func validate() throws {
    if format == .binary { throw ValidationError("copy has no binary output") }
    if format == .json, destination == "-" {
      throw ValidationError("standard output is the destination: no json there")
    }
    if verify, verifyOnly { throw ValidationError("give --verify or --verify-only, not both") }
    if !(1...1_000_000).contains(maxErrors) { throw ValidationError("--max-errors is 1 to 1000000, not \(maxErrors)") }
    if blockSize.value > 64 << 20 { throw ValidationError("--block-size is at most 64 MiB, not \(blockSize)") }
  }

  func run() async throws {
    let sourcePlace = try CopyPlace(source)
    let destinationPlace = try CopyPlace(destination)
    let report = try await Session.run(host: host) { session in
      let source = try await open(sourcePlace, isSource: true, session: &session)
      let options = options(source)
      // Before a file is made that would stay behind empty.
      try CopyPlan.check(source: source, destination: nil, options: options)
      let destination = try await open(destinationPlace, isSource: false, session: &session)
      return try await copy(source, destination, options)
    }
    if format == .json { Console.print(report.json) }
    if format == .normal, !quiet || report.status != .success {
      for line in report.lines { Console.note("nvmeof: \(line)") }
    }
    if report.status != .success { throw ToolError(report.status, "") }
  }

  private func open(
    _ place: CopyPlace, isSource: Bool, session: inout Session
  ) async throws(ToolError) -> any CopyEndpoint {
    guard case .device(let target) = place else {
      return try isSource
        ? place.openSource()
        : place.openDestination(
          isReadBack: verify || verifyOnly, isWritten: !verifyOnly, isResumed: resumeFrom.value > 0)
    }
    let controller = try await session.connect(target, leastQueueDepth: depth)
    let device = try controller.device(target.namespaceIdentifier)
    if !isSource, !verifyOnly, !device.capabilities.contains(.write) {
      throw ToolError(.deviceError, "\(device.name) is write protected")
    }
    return DeviceEndpoint(device)
  }

  private func options(_ source: any CopyEndpoint) -> CopyOptions {
    var options = CopyOptions()
    options.mode = verifyOnly ? .verify : .copy
    options.sourceOffset = offset.value
    options.destinationOffset = destinationOffset.value
    options.byteCount = length?.value
    options.resumeOffset = resumeFrom.value
    options.chunkByteCount = Int(blockSize.value)
    options.depth = depth
    options.isSparse = sparse
    options.verifiesEachChunk = verify && source.isSequential
    options.continuesOnError = continueOnError
    options.maximumBadRangeCount = maxErrors
    return options
  }

  private func copy(
    _ source: any CopyEndpoint, _ destination: any CopyEndpoint, _ options: CopyOptions
  ) async throws -> CopyReport {
    if verify, destination.isSequential {
      throw ToolError.usage("\(destination.name) cannot be read back: leave --verify out")
    }
    try CopyPlan.check(source: source, destination: destination, options: options)
    try prepare(source, destination)
    let runner = CopyRunner(showsProgress: !quiet && Console.isErrorTerminal)
    let clock = ContinuousClock()
    let start = clock.now
    let copied = await runner.run(CopyEngine(source: source, destination: destination, options: options))
    let seconds = (clock.now - start) / .seconds(1)
    var report = CopyReport(
      options: options, source: source, destination: destination, copied: copied, verified: nil, seconds: seconds)
    guard verify, !options.verifiesEachChunk, copied.isComplete else {
      // Comparing each piece is part of the copy.
      if options.verifiesEachChunk, copied.isComplete { report.verified = CopyOutcome() }
      return report
    }
    var second = options
    second.mode = .verify
    // Also what was done before: the copy as a whole is called verified.
    second.resumeOffset = 0
    second.ignoredRanges = copied.badRanges.map(\.range)
    report.verified = await runner.run(CopyEngine(source: source, destination: destination, options: second))
    return report
  }

  /// Whether bytes would be written that are to be read, too.
  private func overlaps(_ source: DeviceEndpoint, _ destination: DeviceEndpoint) -> Bool {
    let byteCount = length?.value ?? source.size - offset.value
    let read = offset.value..<offset.value + byteCount
    return !verifyOnly && source.isSameNamespace(as: destination)
      && read.overlaps(destinationOffset.value..<destinationOffset.value + byteCount)
  }

  /// Empties a file that is to be replaced, once nothing speaks against the copy.
  private func prepare(_ source: any CopyEndpoint, _ destination: any CopyEndpoint) throws(ToolError) {
    if let device = source as? DeviceEndpoint, let other = destination as? DeviceEndpoint, overlaps(device, other) {
      throw .usage(
        "source and destination are the same namespace, \(device.name), and overlap: give --offset, "
          + "--destination-offset and --length of ranges that do not")
    }
    guard let file = destination as? FileEndpoint else { return }
    if let other = source as? FileEndpoint, other.isSameFile(as: file) {
      throw .usage("source and destination are the same file")
    }
    guard !verifyOnly, destinationOffset.value == 0, resumeFrom.value == 0 else { return }
    do throws(CopyFault) { try file.empty() } catch { throw ToolError(error) }
  }
}
