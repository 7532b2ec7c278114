/// fio's job files: `[section]`, `key=value`, flags, comments from `;` or `#` on, `include file`, `${VARIABLE}`.
public struct JobFileReader {
  /// Reads a whole file; throws a sentence that says why not.
  public typealias Load = (_ path: String) throws(LoadFailure) -> String

  public struct LoadFailure: Error {
    public var why: String

    public init(why: String) {
      self.why = why
    }
  }

  /// Includes within includes: enough for any real use, and a loop ends.
  static let maximumIncludeDepth = 16

  private let load: Load
  private let environment: (String) -> String?

  public init(load: @escaping Load, environment: @escaping (String) -> String?) {
    self.load = load
    self.environment = environment
  }

  public func read(path: String) throws(OptionError) -> [JobSection] {
    var sections: [JobSection] = []
    try read(path: path, includedFrom: nil, depth: 0, into: &sections)
    return sections
  }

  private func read(
    path: String, includedFrom: OptionLocation?, depth: Int, into sections: inout [JobSection]
  ) throws(OptionError) {
    let text: String
    do throws(LoadFailure) {
      text = try load(path)
    } catch {
      throw OptionError(.unreadableFile("cannot read \(path): \(error.why)"), at: includedFrom ?? .commandLine)
    }
    var lineNumber = 0
    // "\r\n" is one Character.
    for rawLine in text.split(omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" }) {
      lineNumber += 1
      let location = OptionLocation.file(path: path, line: lineNumber)
      let line = Self.withoutComment(rawLine).trimmedSpaces
      if line.isEmpty { continue }
      if line.hasPrefix("[") {
        guard let end = line.lastIndex(of: "]"), includedFrom == nil else {
          throw OptionError(
            .malformedLine(includedFrom == nil ? String(line) : "sections are not allowed in included files"),
            at: location)
        }
        let name = line[line.index(after: line.startIndex)..<end].trimmedSpaces
        guard !name.isEmpty else { throw OptionError(.malformedLine(String(line)), at: location) }
        sections.append(JobSection(name: String(name), location: location))
        continue
      }
      if line.hasPrefix("include ") || line.hasPrefix("include\t") {
        guard depth < Self.maximumIncludeDepth else {
          throw OptionError(.malformedLine("includes nest more than \(Self.maximumIncludeDepth) deep"), at: location)
        }
        let name = expand(line.dropFirst("include ".count).trimmedSpaces)
        let directory = path.lastIndex(of: "/").map { path[...$0] } ?? ""
        let included = name.hasPrefix("/") ? name : directory + name
        try read(path: included, includedFrom: location, depth: depth + 1, into: &sections)
        continue
      }
      guard !sections.isEmpty else {
        throw OptionError(.malformedLine("option before the first [section]: \(line)"), at: location)
      }
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = parts[0].trimmedSpaces
      guard !name.isEmpty, !name.contains(where: \.isWhitespace) else {
        throw OptionError(.malformedLine(String(line)), at: location)
      }
      let value = parts.count == 2 ? expand(parts[1].trimmedSpaces) : nil
      sections[sections.count - 1].entries.append(
        GivenOption(name: String(name), value: value, location: location))
    }
  }

  /// A comment begins at `;` or `#`, behind an option, too, but not within a "string".
  static func withoutComment(_ line: Substring) -> Substring {
    var isQuoted = false
    for index in line.indices {
      switch line[index] {
      case "\"": isQuoted.toggle()
      case ";", "#": if !isQuoted { return line[..<index] }
      default: break
      }
    }
    return line
  }

  /// Replaces `${NAME}` from the environment; an unset variable is empty, as in fio. `${jobname}` stays for the planner.
  func expand(_ text: Substring) -> String {
    var result = ""
    var rest = text
    while let start = rest.firstRange(of: "${") {
      result += rest[..<start.lowerBound]
      guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
        result += rest[start.lowerBound...]
        return result
      }
      let name = rest[start.upperBound..<end]
      result += name == "jobname" ? "${jobname}" : environment(String(name)) ?? ""
      rest = rest[rest.index(after: end)...]
    }
    return result + rest
  }
}
