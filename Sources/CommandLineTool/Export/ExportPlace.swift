import BlockDevice

/// What stands on the command line for a device to export.
enum ExportPlace: Hashable, Sendable {
  case namespace(TargetIdentifier)
  case memory(byteCount: UInt64, blockByteCount: UInt32)
  case file(path: String, byteCount: UInt64?, blockByteCount: UInt32, isReadOnly: Bool)

  /// - Throws: ``ToolError`` of kind usage.
  init(_ text: String) throws(ToolError) {
    if text.hasPrefix("memory:") || text.hasPrefix("file:") {
      let specification = try NamespaceSpecification(parsing: text)
      let blockByteCount = UInt32(specification.blockByteCount)
      guard specification.identifier == nil, specification.accessGroup == 1, specification.subsystem == 1 else {
        throw .usage("\(text): nsid=, group= and subsystem= belong to targets")
      }
      switch specification.kind {
      case .memory(let byteCount):
        guard !specification.isReadOnly else {
          throw .usage("\(text): there is nothing to read in memory that is read-only")
        }
        self = .memory(byteCount: byteCount, blockByteCount: blockByteCount)
      case .file(let path, let byteCount):
        self = .file(
          path: path, byteCount: byteCount, blockByteCount: blockByteCount, isReadOnly: specification.isReadOnly)
      case .null: throw .usage("\(text): null: is a target's")
      }
      return
    }
    if let target = try TargetIdentifier.ofPlace(text) {
      self = .namespace(target)
      return
    }
    guard !text.isEmpty, !text.hasPrefix("null:") else {
      throw .usage("\"\(text)\" is no device: give nvme+tcp://HOST/NQN?nsid=1, memory:SIZE or file:PATH")
    }
    self = .file(path: text, byteCount: nil, blockByteCount: 512, isReadOnly: false)
  }
}
