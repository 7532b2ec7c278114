import EmbeddedTarget
import Foundation
import Testing

/// What the tool is run against.
enum ToolScene {
  static let nqn = "nqn.2014-08.org.example:cli-tests"

  /// A target with one namespace of 8 MiB with 512-byte blocks, and one with 4096-byte blocks.
  static func withTarget(
    _ body: (_ target: EmbeddedTarget, _ port: UInt16, _ uri: String, _ other: String) async throws -> Void
  ) async throws {
    let target = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: nqn)
    subsystem.namespaces = [
      1: .memory(byteCount: 8 << 20, blockByteCount: 512), 2: .memory(byteCount: 8 << 20, blockByteCount: 4096),
    ]
    try await target.addSubsystem(subsystem)
    let port = try await target.addPort().port
    do {
      try await body(
        target, port, "nvme+tcp://127.0.0.1:\(port)/\(nqn)?nsid=1", "nvme+tcp://127.0.0.1:\(port)/\(nqn)?nsid=2")
    } catch {
      await target.stop()
      throw error
    }
    await target.stop()
  }

  static func withFile(_ bytes: [UInt8]? = nil, _ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "nvmeof-cli-" + UUID().uuidString
    if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  static func contents(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  static func json(_ result: ToolProcess.Result) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(result.output)) as? [String: Any])
  }
}
