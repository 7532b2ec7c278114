internal import JSONRPC

/// A configuration as it is kept in a file: `{"subsystems": [{"subsystem": …, "config": [{"method": …, "params": …}]}]}`,
/// which is what `save_config` of SPDK's client writes, too. What the daemon keeps has
/// `"device_uuid": …` beside the parameters of a call that is about a device.
struct ConfigurationDocument: Sendable, Hashable {
  struct Section: Sendable, Hashable {
    var name: String
    var entries: [ConfigurationEntry]
  }

  /// A call and where it stands.
  struct Call: Sendable, Hashable {
    var section: String
    var entry: ConfigurationEntry
  }

  var sections: [Section]

  /// Far more than a client may send: what a daemon with thousands of devices has written it must be able to read.
  private static let limits = JSONLimits(maximumByteCount: maximumByteCount, maximumValueCount: 1 << 23)
  /// More is no configuration.
  static let maximumByteCount = 64 << 20

  var entries: [ConfigurationEntry] { sections.flatMap(\.entries) }

  var calls: [Call] { sections.flatMap { section in section.entries.map { Call(section: section.name, entry: $0) } } }

  init(sections: [Section]) { self.sections = sections }

  /// Takes out the calls that are meant, and with the last that brought the name what is about its devices.
  mutating func forget(_ isMeant: (ConfigurationEntry) -> Bool, of method: String, named name: String) {
    for index in sections.indices { sections[index].entries.removeAll(where: isMeant) }
    guard !entries.contains(where: { $0.brings(name, by: method) }) else { return }
    for index in sections.indices {
      sections[index].entries.removeAll { $0.isAboutDevice(of: method, named: name) }
    }
  }

  /// What has been in an earlier one keeps its place among what has; what is new comes behind it. Order says something: of
  /// exports the first is the default one.
  mutating func keepOrder(of earlier: ConfigurationDocument) {
    for index in sections.indices {
      guard let old = earlier.sections.first(where: { $0.name == sections[index].name }) else { continue }
      var places: [ConfigurationIndex.Subject: Int] = [:]
      for (place, entry) in old.entries.enumerated() where places[.init(entry)] == nil { places[.init(entry)] = place }
      let placed = sections[index].entries.enumerated().map { number, entry in
        (place: places[.init(entry)] ?? .max, number: number, entry: entry)
      }
      sections[index].entries = placed.sorted { ($0.place, $0.number) < ($1.place, $1.number) }.map(\.entry)
    }
  }

  /// The same text with spaces in place of comments (`//` to the end of the line, `/*` to `*/`), which people write into
  /// configurations and JSON does not have. Places stay what they are.
  private static func withoutComments(_ text: [UInt8]) -> [UInt8] {
    let (slash, star, quote, backslash, newline) = (UInt8(0x2F), UInt8(0x2A), UInt8(0x22), UInt8(0x5C), UInt8(0x0A))
    var result = text
    var index = 0
    var isInString = false
    while index < text.count {
      let byte = text[index]
      let next = index + 1 < text.count ? text[index + 1] : 0
      var end = index + 1
      if isInString {
        if byte == backslash { end += 1 } else if byte == quote { isInString = false }
      } else if byte == quote {
        isInString = true
      } else if byte == slash && next == slash {
        end = text[index...].firstIndex(of: newline) ?? text.count
        for place in index..<end { result[place] = 0x20 }
      } else if byte == slash && next == star {
        end = index + 2
        while end < text.count, !(text[end] == slash && text[end - 1] == star && end > index + 2) { end += 1 }
        // One without an end stays, and is told of.
        guard end < text.count else { return result }
        end += 1
        for place in index..<end where text[place] != newline { result[place] = 0x20 }
      }
      index = end
    }
    return result
  }

  /// - Throws: ``ConfigurationFileError``, naming the place.
  init(parsing text: [UInt8], path: String) throws(ConfigurationFileError) {
    let bytes = Self.withoutComments(text)
    // What precedes the value does not count as part of it.
    guard let start = bytes.firstIndex(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) else {
      throw ConfigurationFileError(path: path, reason: .isEmpty)
    }
    let result: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { bytes in
      do throws(JSONError) {
        return .success(try JSONParser.value(of: bytes, limits: Self.limits))
      } catch { return .failure(error) }
    }
    let value: JSONValue
    switch result {
    case .success(let parsed): value = parsed
    case .failure(let error):
      let before = bytes[..<min(bytes.count, start + error.offset)]
      let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
      throw ConfigurationFileError(
        path: path,
        reason: .notJSON(
          error.reason, line: 1 + before.count { $0 == 0x0A }, column: 1 + before.count - lineStart))
    }
    func malformed(_ place: String, _ rule: String) -> ConfigurationFileError {
      ConfigurationFileError(path: path, reason: .malformed(place: place, rule: rule))
    }
    guard case .array(let subsystems)? = value["subsystems"] else {
      throw malformed("subsystems", "there must be an array of that name")
    }
    sections = []
    for (index, subsystem) in subsystems.enumerated() {
      let place = "subsystems[\(index)]"
      guard case .string(let name)? = subsystem["subsystem"] else {
        throw malformed("\(place).subsystem", "must be a string")
      }
      var section = Section(name: name, entries: [])
      switch subsystem["config"] {
      case nil, .null?: break
      case .array(let calls)?:
        for (number, call) in calls.enumerated() {
          // Newer clients may group calls into batches.
          let group = call.arrayValue ?? [call]
          for call in group {
            let place = "\(place).config[\(number)]"
            guard case .string(let method)? = call["method"] else {
              throw malformed("\(place).method", "must be a string")
            }
            var entry = ConfigurationEntry(method)
            switch call["params"] {
            case nil, .null?: break
            case .object(let parameters)?: entry.parameters = parameters
            default: throw malformed("\(place).params", "must be an object")
            }
            switch call["device_uuid"] {
            case nil, .null?: break
            case .string(let uuid)?: entry.deviceUUID = uuid
            default: throw malformed("\(place).device_uuid", "must be a string")
            }
            section.entries.append(entry)
          }
        }
      default: throw malformed("\(place).config", "must be an array")
      }
      sections.append(section)
    }
  }

  var bytes: [UInt8] {
    let value: JSONValue = [
      "subsystems": .array(
        sections.map { ["subsystem": .string($0.name), "config": .array($0.entries.map(\.keptValue))] })
    ]
    return JSONWriter.bytes(of: value, style: .indented) + [UInt8(ascii: "\n")]
  }
}
