import ArgumentParser
import EmbeddedTarget
import ToolSupport

/// `--namespace` of `nvmeof target`, and `namespace add` while it runs: memory:SIZE, null:SIZE or file:PATH, then
/// options.
///
///     memory:64M        memory:64M:4096        null:1G:512,group=2
///     file:disk.img     file:disk.img:4096     file:new.img:1G:4096,ro
///     memory:1G,nsid=7,subsystem=2
struct NamespaceSpecification: ExpressibleByArgument, Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case memory(byteCount: UInt64)
    case null(byteCount: UInt64)
    case file(path: String, byteCount: UInt64?)
  }

  var kind: Kind
  var blockByteCount = 512
  var accessGroup: UInt32 = 1
  var isReadOnly = false
  /// Nil: the lowest that is free.
  var identifier: UInt32?
  /// The subsystem's number in the order of `--nqn`.
  var subsystem = 1

  init?(argument: String) {
    guard let specification = try? NamespaceSpecification(parsing: argument) else { return nil }
    self = specification
  }

  /// - Throws: ``ToolError`` of kind usage that says what is wrong.
  init(parsing text: String) throws(ToolError) {
    var options = text.split(separator: ",", omittingEmptySubsequences: false)[...]
    let main = options.removeFirst()
    // What is no option belongs to a file's name.
    let first = options.firstIndex { Self.isOption($0) } ?? options.endIndex
    let head = ([main] + options[..<first]).joined(separator: ",")
    var parts = head.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let name = parts.removeFirst()
    switch name {
    case "memory", "null":
      guard (1...2).contains(parts.count), let size = ByteCount(parts[0]), size.value > 0 else {
        throw .usage("namespace \(text): write \(name):SIZE or \(name):SIZE:BLOCKSIZE, such as \(name):64M:512")
      }
      kind = name == "memory" ? .memory(byteCount: size.value) : .null(byteCount: size.value)
      if parts.count == 2 { blockByteCount = try Self.blockSize(parts[1], text) }
    case "file":
      var byteCount: UInt64?
      if parts.count > 1, let size = ByteCount(parts[parts.count - 1]), Self.isBlockSize(size.value) {
        blockByteCount = Int(size.value)
        parts.removeLast()
        if parts.count > 1, let size = ByteCount(parts[parts.count - 1]) {
          byteCount = size.value
          parts.removeLast()
        }
      }
      let path = parts.joined(separator: ":")
      guard !path.isEmpty else {
        throw .usage("namespace \(text): write file:PATH, file:PATH:BLOCKSIZE or file:PATH:SIZE:BLOCKSIZE")
      }
      kind = .file(path: path, byteCount: byteCount)
    default:
      throw .usage("namespace \(text): it begins with memory:, null: or file:")
    }
    for option in options[first...] { try apply(option, text) }
  }

  private static func isOption(_ text: Substring) -> Bool {
    text == "ro" || ["group=", "nsid=", "subsystem="].contains { text.hasPrefix($0) }
  }
  private static func isBlockSize(_ value: UInt64) -> Bool {
    value.nonzeroBitCount == 1 && (512...65_536).contains(value)
  }

  private static func blockSize(_ part: String, _ text: String) throws(ToolError) -> Int {
    guard let size = ByteCount(part), isBlockSize(size.value) else {
      throw .usage("namespace \(text): a block size is a power of two from 512 to 65536, not \"\(part)\"")
    }
    return Int(size.value)
  }

  private mutating func apply(_ option: Substring, _ text: String) throws(ToolError) {
    if option == "ro" {
      isReadOnly = true
      return
    }
    let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let number = parts.count == 2 ? UInt32(parts[1]) : nil
    switch (parts[0], number) {
    case ("group", let group?) where (1...32).contains(group): accessGroup = group
    case ("nsid", let number?) where number > 0: identifier = number
    case ("subsystem", let number?) where number > 0: subsystem = Int(number)
    default:
      throw .usage(
        "namespace \(text): \"\(option)\" is none of ro, group=1 … group=32, nsid=N and subsystem=N, with N from 1 on")
    }
  }

  /// The lowest number that no namespace has.
  static func freeIdentifier(beside used: Set<UInt32>) -> UInt32 {
    (1...UInt32.max).first { !used.contains($0) } ?? .max
  }

  var configuration: NamespaceConfiguration {
    let backing: NamespaceConfiguration.Backing =
      switch kind {
      case .memory(let byteCount): .memory(byteCount: byteCount)
      case .null(let byteCount): .null(byteCount: byteCount)
      case .file(let path, let byteCount): .file(path: path, byteCount: byteCount)
      }
    var configuration = NamespaceConfiguration(backing: backing, blockByteCount: blockByteCount)
    configuration.accessGroup = accessGroup
    configuration.isReadOnly = isReadOnly
    return configuration
  }

  /// For people.
  var summary: String {
    let what =
      switch kind {
      case .memory(let byteCount): "memory, \(ByteText.binary(byteCount))"
      case .null(let byteCount): "null, \(ByteText.binary(byteCount))"
      case .file(let path, let byteCount): "file \(path)" + (byteCount.map { ", " + ByteText.binary($0) } ?? "")
      }
    return what + ", blocks of \(blockByteCount)" + (accessGroup == 1 ? "" : ", ANA group \(accessGroup)")
      + (isReadOnly ? ", read-only" : "")
  }
}
