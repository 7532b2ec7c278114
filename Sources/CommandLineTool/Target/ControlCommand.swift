import NVMeProtocol
import ToolSupport

/// What a line of standard input has a running `nvmeof target` do. Only reads text: whether there is such a port or
/// namespace is the target's to say.
enum ControlCommand: Hashable, Sendable {
  case help
  case quit
  case setPort(UInt16, isOpen: Bool)
  case setAccessState(port: UInt16, group: UInt32, state: ANAState)
  case addNamespace(NamespaceSpecification)
  case removeNamespace(UInt32, subsystem: Int)
  case resizeNamespace(UInt32, byteCount: UInt64, subsystem: Int)
  case addFault(FaultSpecification)
  case listFaults
  case removeFault(UInt64)
  case removeAllFaults

  static let helpText = """
    port PORT off|on
        stop listening and drop the port's connections; listen again, with all ANA groups optimized
    ana PORT GROUP STATE
        set an ANA group (1 to 32) as seen through a port: \(AccessStateSpecification.allowed)
    namespace add SPECIFICATION
        as for --namespace: namespace add memory:64M:4096,nsid=3,group=2,subsystem=1
    namespace remove NSID [subsystem=N]
    namespace resize NSID SIZE [subsystem=N]
    faults add TRIGGER ACTION [OPTION ...]
        TRIGGER  \(FaultSpecification.triggers)
        ACTION   \(FaultSpecification.actions)
        OPTION   \(FaultSpecification.options)
    faults list
    faults remove NUMBER|all
    help
    quit
    PORT is a port's number or its place in the order of --port; a subsystem's N is its place in the order of --nqn
    """

  /// - Returns: nil for an empty line and for a comment (#).
  /// - Throws: ``ToolError`` of kind usage that says what is wrong and what is allowed.
  init?(parsing line: String) throws(ToolError) {
    let words = line.split(whereSeparator: \.isWhitespace)
    guard let name = words.first, !name.hasPrefix("#") else { return nil }
    switch name {
    case "port": self = try Self.port(words.dropFirst())
    case "ana": self = try Self.accessState(words.dropFirst())
    case "namespace": self = try Self.namespace(line, Array(words.dropFirst()))
    case "faults": self = try Self.faults(Array(words.dropFirst()))
    case "help", "quit":
      guard words.count == 1 else { throw .usage("\(name) takes nothing, not \(Self.quoted(words[1]))") }
      self = name == "help" ? .help : .quit
    default: throw .usage("\(Self.quoted(name)) is no command: port, ana, namespace, faults, help and quit are")
    }
  }

  /// Text of others for a message: in quotation marks, and not endless.
  static func quoted(_ text: some StringProtocol) -> String {
    text.count > 60 ? "\"\(text.prefix(60))…\"" : "\"\(text)\""
  }

  private static func port(_ words: ArraySlice<Substring>) throws(ToolError) -> ControlCommand {
    let words = Array(words)
    guard words.count == 2 else { throw .usage("write port PORT off or port PORT on, such as: port 4420 off") }
    let port = try portNumber(words[0], of: "port")
    guard words[1] == "off" || words[1] == "on" else {
      throw .usage("port: off and on are allowed, not \(quoted(words[1]))")
    }
    return .setPort(port, isOpen: words[1] == "on")
  }

  private static func portNumber(_ word: Substring, of command: String) throws(ToolError) -> UInt16 {
    guard let port = UInt16(word), port > 0 else {
      throw .usage("\(command): a port is a number from 1 to 65535, not \(quoted(word))")
    }
    return port
  }

  private static func accessState(_ words: ArraySlice<Substring>) throws(ToolError) -> ControlCommand {
    let words = Array(words)
    guard words.count == 3 else { throw .usage("write ana PORT GROUP STATE, such as: ana 4420 2 inaccessible") }
    let port = try portNumber(words[0], of: "ana")
    guard let group = AccessStateSpecification.group(words[1]) else {
      throw .usage("ana: a group is a number from 1 to 32, not \(quoted(words[1]))")
    }
    guard let state = AccessStateSpecification.state(words[2]) else {
      throw .usage("ana: a state is one of \(AccessStateSpecification.allowed), not \(quoted(words[2]))")
    }
    return .setAccessState(port: port, group: group, state: state)
  }

  private static func namespace(_ line: String, _ words: [Substring]) throws(ToolError) -> ControlCommand {
    switch words.first {
    case "add":
      guard words.count > 1 else {
        throw .usage("write namespace add SPECIFICATION, such as: namespace add memory:64M:512,nsid=2")
      }
      // All of the rest, so that a file's name may have blanks.
      let rest = line[words[1].startIndex..<words[words.count - 1].endIndex]
      return .addNamespace(try NamespaceSpecification(parsing: String(rest)))
    case "remove":
      guard (2...3).contains(words.count) else {
        throw .usage("write namespace remove NSID [subsystem=N], such as: namespace remove 2")
      }
      return .removeNamespace(try identifier(words[1]), subsystem: try subsystem(words.dropFirst(2).first))
    case "resize":
      guard (3...4).contains(words.count) else {
        throw .usage("write namespace resize NSID SIZE [subsystem=N], such as: namespace resize 2 128M")
      }
      let identifier = try identifier(words[1])
      guard let size = ByteCount(words[2]), size.value > 0 else {
        throw .usage("namespace resize: a size is a number of bytes such as 128M, not \(quoted(words[2]))")
      }
      return .resizeNamespace(
        identifier, byteCount: size.value, subsystem: try subsystem(words.dropFirst(3).first))
    case let word?: throw .usage("namespace: add, remove and resize are allowed, not \(quoted(word))")
    case nil: throw .usage("write namespace add, namespace remove or namespace resize")
    }
  }

  private static func identifier(_ word: Substring) throws(ToolError) -> UInt32 {
    guard let identifier = UInt32(word), (1..<0xFFFF_FFFF).contains(identifier) else {
      throw .usage("namespace: an NSID is a number from 1 on, not \(quoted(word))")
    }
    return identifier
  }

  private static func subsystem(_ word: Substring?) throws(ToolError) -> Int {
    guard let word else { return 1 }
    guard word.hasPrefix("subsystem="), let number = Int(word.dropFirst(10)), number > 0 else {
      throw .usage("namespace: only subsystem=N may follow, with N from 1 on, not \(quoted(word))")
    }
    return number
  }

  private static func faults(_ words: [Substring]) throws(ToolError) -> ControlCommand {
    switch words.first {
    case "add": return .addFault(try FaultSpecification(parsing: Array(words.dropFirst())))
    case "list":
      guard words.count == 1 else { throw .usage("faults list takes nothing, not \(quoted(words[1]))") }
      return .listFaults
    case "remove":
      guard words.count == 2 else { throw .usage("write faults remove NUMBER, or faults remove all") }
      if words[1] == "all" { return .removeAllFaults }
      guard let number = UInt64(words[1]) else {
        throw .usage("faults remove: write a number that faults list shows, or all, not \(quoted(words[1]))")
      }
      return .removeFault(number)
    case let word?: throw .usage("faults: add, list and remove are allowed, not \(quoted(word))")
    case nil: throw .usage("write faults add, faults list or faults remove")
    }
  }
}
