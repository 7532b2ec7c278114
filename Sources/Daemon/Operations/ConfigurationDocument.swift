internal import JSONRPC

/// A configuration as it is kept in a file: `{"subsystems": [{"subsystem": …, "config": [{"method": …, "params": …}]}]}`,
/// which is what `save_config` of SPDK's client writes, too.
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

  var entries: [ConfigurationEntry] { sections.flatMap(\.entries) }

  var calls: [Call] { sections.flatMap { section in section.entries.map { Call(section: section.name, entry: $0) } } }

  init(sections: [Section]) { self.sections = sections }

  /// - Throws: ``ConfigurationFileError``, naming the place.
  init(parsing bytes: [UInt8], path: String) throws(ConfigurationFileError) {
    let result: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { bytes in
      do throws(JSONError) { return .success(try JSONParser.value(of: bytes)) } catch { return .failure(error) }
    }
    let value: JSONValue
    switch result {
    case .success(let parsed): value = parsed
    case .failure(let error): throw ConfigurationFileError(path: path, reason: .notJSON(error))
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
            switch call["params"] {
            case nil, .null?: section.entries.append(ConfigurationEntry(method))
            case .object(let parameters)?: section.entries.append(ConfigurationEntry(method, parameters))
            default: throw malformed("\(place).params", "must be an object")
            }
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
        sections.map { ["subsystem": .string($0.name), "config": .array($0.entries.map(\.value))] })
    ]
    return JSONWriter.bytes(of: value, style: .indented) + [UInt8(ascii: "\n")]
  }
}
