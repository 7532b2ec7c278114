internal import Glibc

/// Where a run writes: results to standard output or a file, the live line and notes to where they do not spoil them.
public final class ReportOutput {
  private let formats: [OutputFormat]
  private let descriptor: Int32
  private let ownsDescriptor: Bool
  private let newLineInterval: UInt64
  private var lastNewLine: UInt64 = 0
  private var statusWidth = 0
  private var begun = false
  /// Whether the live line is to be shown.
  public let showsStatus: Bool

  /// - Throws: ``OptionError`` when the file for results cannot be written.
  public init(_ invocation: BenchmarkInvocation) throws(OptionError) {
    formats = invocation.formats
    newLineInterval = invocation.progressNewLineInterval
    if let path = invocation.outputPath {
      descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
      ownsDescriptor = true
      guard descriptor >= 0 else {
        throw OptionError(
          .unreadableFile("cannot write --output=\(path): \(String(cString: strerror(errno)))"), at: .commandLine)
      }
    } else {
      descriptor = STDOUT_FILENO
      ownsDescriptor = false
    }
    switch invocation.progress {
    case .always: showsStatus = true
    case .never: showsStatus = false
    case .auto: showsStatus = isatty(STDERR_FILENO) != 0
    }
  }

  deinit {
    if ownsDescriptor { close(descriptor) }
  }

  private static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Writes to standard error.
  static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Text that is only for people.
  private var hasNormal: Bool { formats.contains(.normal) }

  /// fio's first lines: what will run; and the notes.
  public func begin(_ plan: JobPlan, threads: Int, notes: [String]) {
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
    let remarks = notes.map { "note: \($0)\n" }.joined()
    if hasNormal {
      Self.write(text + remarks, to: descriptor)
    } else if !remarks.isEmpty {
      // JSON must stay alone on its stream.
      Self.write(remarks, to: STDERR_FILENO)
    }
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
    Self.write(text, to: STDERR_FILENO)
  }

  /// Takes the live line away before other text.
  func clearStatus() {
    guard statusWidth > 0 else { return }
    Self.write("\r" + String(repeating: " ", count: statusWidth) + "\r", to: STDERR_FILENO)
    statusWidth = 0
  }

  /// Writes a report in every format asked for.
  public func report(_ report: RunReport) {
    for format in formats {
      switch format {
      case .normal: Self.write("\n" + NormalReport.render(report), to: descriptor)
      case .json: Self.write(JSONReport.render(report, bins: false), to: descriptor)
      case .jsonPlus: Self.write(JSONReport.render(report, bins: true), to: descriptor)
      case .summary: Self.write(SummaryReport.render(report), to: descriptor)
      }
    }
  }
}
