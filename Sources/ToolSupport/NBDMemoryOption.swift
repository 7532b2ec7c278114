internal import ArgumentParser
public import NBDServer

/// How much memory tools give NBD clients.
public enum NBDMemoryOption {
  public static let help =
    "What clients may have of memory for their requests together, beside 128 KiB for each; more waits in their sockets "
    + "(default: 256M)"

  /// - Throws: `ValidationError` for what no request would fit into.
  public static func budget(_ size: ByteCount?, option: String) throws -> NBDBudgetConfiguration {
    var configuration = NBDBudgetConfiguration()
    guard let size else { return configuration }
    guard let byteCount = Int(exactly: size.value), byteCount >= 1 << 20, byteCount <= 1 << 42 else {
      throw ValidationError("\(option) is 1M to 4T, not \(size)")
    }
    configuration.memoryByteCount = byteCount
    return configuration
  }
}
