internal import Glibc
public import ToolOutput

/// Where a run writes: results to standard output or a file, the live line and notes to where they do not spoil them.
public final class ReportOutput {
  private let formats: [OutputFormat]
  private let file: OutputFile
  private let newLineInterval: UInt64
  private var lastNewLine: UInt64 = 0
  private var statusWidth = 0
  private var failure: OutputError?
  private var notesTold: Set<String> = []
  /// Whether the live line is to be shown.
  public let showsStatus: Bool

  /// - Throws: ``OptionError`` when the file for results cannot be written.
  public init(_ invocation: BenchmarkInvocation) throws(OptionError) {
    formats = invocation.formats
    newLineInterval = invocation.progressNewLineInterval
    do throws(OutputError) {
      file = try invocation.outputPath.map { path throws(OutputError) in try OutputFile(path: path) } ?? .standardOutput
    } catch { throw OptionError(.unreadableFile("--output: \(error)"), at: .commandLine) }
    switch invocation.progress {
    case .always: showsStatus = true
    case .never: showsStatus = false
    case .auto: showsStatus = isatty(STDERR_FILENO) != 0
    }
  }

  /// Writes to standard error. There is nobody to tell when that fails.
  static func complain(_ text: String) { try? OutputFile.standardError.write(text) }

  private func write(_ text: String) throws(OutputError) {
    // What would follow a gap is worth nothing.
    if let failure { throw failure }
    do throws(OutputError) { try file.write(text) } catch {
      failure = error
      throw error
    }
  }

  /// Text that is only for people.
  private var hasNormal: Bool { formats.contains(.normal) }

  /// fio's first lines: what will run; and the notes.
  ///
  /// - Throws: ``OutputError`` as results will not be written either: better now than when they are there.
  public func begin(_ plan: JobPlan, threads: Int, notes: [String]) throws(OutputError) {
    var text = ""
    let groups = plan.groupIdentifiers
    for (job, group) in zip(plan.jobs, groups) {
      func range(_ direction: DataDirection) -> String {
        let mix = job.blockSizes[direction]
        return "\(Formatting.binaryBytes(UInt64(mix.smallest)))-\(Formatting.binaryBytes(UInt64(mix.largest)))"
      }
      text +=
        "\(job.name): (g=\(group)): rw=\(job.pattern.rawValue), bs=(R) \(range(.read)), (W) \(range(.write)), "
        + "(T) \(range(.trim)), ioengine=\(job.engine.rawValue), iodepth=\(job.depth)\n"
      if job.jobCount > 1 { text += "...\n" }
    }
    text += "nvmeof-bench-\(RunReport.version)\nStarting \(threads) thread\(threads == 1 ? "" : "s")\n"
    if hasNormal { try write(text) }
    try tell(notes)
  }

  /// Notes that have not been told of yet. Some are known only when jobs have connected, or ended.
  private func tell(_ notes: [String]) throws(OutputError) {
    let remarks = notes.filter { !notesTold.contains($0) }.map { "note: \($0)\n" }.joined()
    notesTold.formUnion(notes)
    if remarks.isEmpty { return }
    // JSON must stay alone on its stream.
    if hasNormal { try write(remarks) } else { Self.complain(remarks) }
  }

  /// Replaces the live line.
  func status(_ line: String, now: UInt64) {
    let padding = max(0, statusWidth - line.count)
    var text = "\r" + line + String(repeating: " ", count: padding)
    statusWidth = line.count
    if newLineInterval > 0, now >= lastNewLine + newLineInterval {
      lastNewLine = now
      text += "\n"
      statusWidth = 0
    }
    Self.complain(text)
  }

  /// Takes the live line away before other text.
  func clearStatus() {
    guard statusWidth > 0 else { return }
    Self.complain("\r" + String(repeating: " ", count: statusWidth) + "\r")
    statusWidth = 0
  }

  /// Writes a report in every format asked for.
  ///
  /// - Throws: ``OutputError`` when this one, or anything in front of it, could not be written.
  public func report(_ report: RunReport) throws(OutputError) {
    try tell(report.notes)
    for format in formats {
      switch format {
      case .normal: try write("\n" + NormalReport.render(report))
      case .json: try write(JSONReport.render(report, bins: false))
      case .jsonPlus: try write(JSONReport.render(report, bins: true))
      case .terse: try write(TerseReport.render(report))
      case .summary: try write(SummaryReport.render(report))
      }
    }
  }
}
