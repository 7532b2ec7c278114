/// fio's command line: frame options, job files, and `--name` groups whose order matters.
///
/// A general argument parser does not fit: every job option is also a command-line option, an option belongs to the
/// `--name` before it, and flags may or may not carry `=value`.
public enum CommandLineReader {
  private static let frameOptions = [
    "output", "output-format", "eta", "eta-newline", "parse-only", "showcmd", "status-interval", "section", "help",
    "version", "cmdhelp", "readonly", "append-terse", "minimal", "terse-version", "warnings-fatal", "max-jobs",
    "thread",
  ]

  public static func read(_ arguments: [String]) throws(OptionError) -> BenchmarkInvocation {
    var invocation = BenchmarkInvocation()
    var current: JobSection?
    var index = 0
    func finishSection() {
      if let section = current { invocation.sources.append(.section(section)) }
      current = nil
    }
    while index < arguments.count {
      let argument = arguments[index]
      index += 1
      if argument == "-h" {
        invocation.help = .usage
        continue
      }
      if argument == "-v" {
        invocation.help = .version
        continue
      }
      guard argument.hasPrefix("-"), argument != "-" else {
        finishSection()
        invocation.sources.append(.file(path: argument))
        continue
      }
      let body = argument.drop { $0 == "-" }
      let parts = body.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts.first ?? "")
      var value = parts.count == 2 ? String(parts[1]) : nil

      /// The value after `=`, or else the next argument.
      func requiredValue() throws(OptionError) -> String {
        if let value { return value }
        guard index < arguments.count else { throw OptionError(.missingValue(option: name), at: .commandLine) }
        index += 1
        return arguments[index - 1]
      }
      func invalid(_ value: String, _ expected: String) -> OptionError {
        OptionError(.invalidValue(option: name, value: value, expected: expected), at: .commandLine)
      }
      func time(unit: UInt64) throws(OptionError) -> UInt64 {
        let text = try requiredValue()
        do throws(OptionValueError) {
          return try ValueParser.nanoseconds(Substring(text), defaultUnit: unit)
        } catch {
          throw invalid(text, error.expected)
        }
      }

      switch name.replacingUnderscores {
      case "help": invocation.help = .usage
      case "version": invocation.help = .version
      case "cmdhelp": invocation.help = .command(value ?? "all")
      case "parse-only": invocation.parseOnly = true
      case "showcmd": invocation.showCommand = true
      case "readonly": invocation.isReadOnly = true
      case "output": invocation.outputPath = try requiredValue()
      case "output-format":
        let text = try requiredValue()
        invocation.formats = []
        for part in text.split(separator: ",") {
          guard let format = OutputFormat(rawValue: String(part.trimmedSpaces)) else {
            throw invalid(text, OutputFormat.allCases.map(\.rawValue).joined(separator: ", ") + ", separated by commas")
          }
          if !invocation.formats.contains(format) { invocation.formats.append(format) }
        }
        guard !invocation.formats.isEmpty else { throw invalid(text, "at least one format") }
      case "eta":
        let text = try requiredValue()
        guard let progress = ProgressDisplay(rawValue: text) else { throw invalid(text, "always, never or auto") }
        invocation.progress = progress
      case "eta-newline": invocation.progressNewLineInterval = try time(unit: 1_000_000_000)
      case "status-interval": invocation.statusInterval = try time(unit: 1_000_000_000)
      case "section": invocation.onlySections.insert(try requiredValue())
      case "name":
        let text = try requiredValue()
        finishSection()
        current = JobSection(name: text, location: .commandLine)
      case "minimal": invocation.formats = [.terse]
      case "append-terse":
        if !invocation.formats.contains(.terse) { invocation.formats.append(.terse) }
      case "terse-version":
        let text = try requiredValue()
        guard text == "3" else { throw invalid(text, "3, the one that there is") }
      default:
        guard let definition = OptionCatalogue.definition(named: name) else {
          let known = OptionCatalogue.suggestion(for: name)
          let frame = Spelling.closest(to: name, among: frameOptions)
          let suggestion = [known, frame].compactMap { $0 }
            .min { Spelling.distance(name, $0) < Spelling.distance(name, $1) }
          throw OptionError(.unknownOption(name: name, suggestion: suggestion), at: .commandLine)
        }
        if value == nil, !definition.isFlag { value = try requiredValue() }
        let entry = GivenOption(name: name, value: value, location: .commandLine)
        if current != nil { current?.entries.append(entry) } else { invocation.common.append(entry) }
      }
    }
    finishSection()
    return invocation
  }
}

extension String {
  /// With `-` for `_`, as frame options may be written either way.
  fileprivate var replacingUnderscores: String { String(map { $0 == "_" ? "-" : $0 }) }
}
