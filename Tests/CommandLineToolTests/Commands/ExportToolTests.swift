import ArgumentParser
import EmbeddedTarget
import Foundation
import Glibc
import Testing

@testable import CommandLineTool

/// `nvmeof export`, as a user runs it.
@Suite(.serialized) struct ExportToolTests {
  /// Runs `nvmeof export` with arguments that it must refuse.
  private static func refusedExport(_ arguments: String...) throws -> ToolProcess.Result {
    let socket = NSTemporaryDirectory() + "nvmeof-cli-\(UInt32.random(in: 0 ... .max))"
    return try ToolProcess(["export", "--socket", socket] + arguments).finish()
  }

  @Test func exportLeavesFilesOfAnotherSizeAlone() async throws {
    let bytes = (0..<1 << 16).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try await ToolScene.withFile(bytes) { path in
      for size in ["32K", "128K"] {
        let result = try Self.refusedExport("file:\(path):\(size):512")
        #expect(result.status == 4)
        #expect(result.errors.contains("has 65536 bytes, not \(size == "32K" ? 32768 : 131_072)"))
        let target = try ToolProcess.run("target", "--port", "0", "--namespace", "file:\(path):\(size):512")
        #expect(target.status == 4)
        #expect(target.errors.contains("has 65536 bytes"))
      }
      #expect(try ToolScene.contents(path) == bytes)
      let missing = try Self.refusedExport("file:\(path).new:64K:512", "--read-only")
      #expect(missing.status == 4)
      #expect(!FileManager.default.fileExists(atPath: path + ".new"))
    }
  }

  @Test func exportRefusesWhatHoldsNoBlock() async throws {
    for path in ["/dev/zero", "/dev/null"] {
      let result = try Self.refusedExport("file:\(path)")
      #expect(result.status == 4)
      #expect(result.errors.contains("\(path) is neither a regular file nor a block device"))
    }
    try await ToolScene.withFile([]) { path in
      let result = try Self.refusedExport(path)
      #expect(result.status == 4)
      #expect(result.errors.contains("has 0 bytes, less than a block of 512"))
    }
  }

  @Test func exportTellsOfAnEndThatIsNotServed() async throws {
    try await ToolScene.withFile([UInt8](repeating: 1, count: 1000)) { path in
      let socket = path + ".sock"
      let tool = try ToolProcess(["export", path, "--socket", socket])
      while !tool.firstLine().hasPrefix("Ctrl-C") {}
      tool.signal(SIGTERM)
      let result = try tool.finish()
      #expect(result.errors == "nvmeof: \(path): the last 488 bytes are less than a block of 512, and not served\n")
    }
  }

  @Test func exportTellsWhatWouldHelp() async throws {
    let twice = try Self.refusedExport("memory:1M", "memory:1M")
    #expect(twice.status == 2)
    #expect(twice.errors.contains("there is an export of this name already; --name gives it another"))
  }

  @Test func exportOfAFileThatMayNotBeWrittenHelpsOn() async throws {
    if geteuid() == 0 { try Test.cancel("NOT RUN as root, who may write any file") }
    try await ToolScene.withFile([UInt8](repeating: 1, count: 1024)) { path in
      chmod(path, 0o400)
      let result = try Self.refusedExport(path)
      #expect(result.errors.contains("--read-only"))
    }
  }

  @Test func exportEndsWithItsNamespace() async throws {
    try await ToolScene.withTarget { target, _, uri, other in
      try await ToolScene.withFile { path in
        let export = try ToolProcess(["export", uri, other, "--socket", path, "-o", "json"])
        _ = export.firstLine()
        try await target.removeNamespace(1, from: ToolScene.nqn)
        // The other one goes on.
        usleep(200_000)
        #expect(export.process.isRunning)
        try await target.closeConnections(reset: true)
        try await target.removeNamespace(2, from: ToolScene.nqn)
        let result = try export.finish()
        #expect(result.status == 3)
        #expect(result.errors.contains("/1: the controller has no such namespace"))
        #expect(result.errors.contains("/2: the controller has no such namespace"))
      }
    }
  }

  @Test func exportListensAtEachPlaceThatIsNamed() async throws {
    try await ToolScene.withFile { path in
      let export = try ToolProcess([
        "export", "memory:1M", "--socket", path, "--address", "127.0.0.1", "--port", "0", "-o", "json",
      ])
      let line = export.firstLine()
      let place = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect((place["addresses"] as? [String])?.count == 2)
      export.signal(SIGTERM)
      #expect(try export.finish().status == 0)
      #expect(
        try ExportCommand.parse(["memory:1M", "--socket", path, "--address", "0.0.0.0"]).listenAddresses.count == 2)
      #expect(try ExportCommand.parse(["memory:1M", "--socket", path]).listenAddresses.count == 1)
    }
  }
}
