import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandLineTool

@Suite struct FileEndpointTests {
  private static func withDirectory(_ body: (String) async throws -> Void) async throws {
    let path = NSTemporaryDirectory() + "nvmeof-cli-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await body(path)
  }

  @Test func zeroesAreHoles() async throws {
    try await Self.withDirectory { directory in
      var bytes = [UInt8](repeating: 0, count: 1 << 20)
      bytes[300_000] = 7
      let path = directory + "/image"
      let destination = try CopyPlace(path).openDestination(isReadBack: true, isWritten: true, isResumed: false)
      var options = CopyOptions()
      options.isSparse = true
      options.chunkByteCount = 65_536
      let source = FaultyEndpoint("source", bytes)
      let outcome = await CopyEngine(source: source, destination: destination, options: options).run()
      #expect(outcome.isComplete)
      #expect(Array(try Data(contentsOf: URL(fileURLWithPath: path))) == bytes)
      var status = stat()
      #expect(lstat(path, &status) == 0)
      #expect(status.st_blocks * 512 < 1 << 20)
      options.mode = .verify
      #expect(await CopyEngine(source: source, destination: destination, options: options).run().isComplete)
    }
  }

  /// Zeroes at the end are there only when the file has its length; pieces of a stream are read back before.
  @Test(arguments: [0, 1 << 20]) func zeroesAtTheEndAreReadBack(dataByteCount: Int) async throws {
    try await Self.withDirectory { directory in
      let path = directory + "/image"
      let bytes = pattern(dataByteCount) + [UInt8](repeating: 0, count: (1 << 20) + 100)
      let destination = try CopyPlace(path).openDestination(isReadBack: true, isWritten: true, isResumed: false)
      var options = CopyOptions()
      options.isSparse = true
      options.verifiesEachChunk = true
      options.chunkByteCount = 65_536
      let source = FaultyEndpoint("stream", bytes, alignment: 1, isSequential: true)
      let outcome = await CopyEngine(source: source, destination: destination, options: options).run()
      #expect(outcome.isComplete, "\(String(describing: outcome.failure))")
      #expect(Array(try Data(contentsOf: URL(fileURLWithPath: path))) == bytes)
    }
  }

  @Test func sparseZeroesOverwriteWhatWasThere() async throws {
    try await Self.withDirectory { directory in
      let path = directory + "/image"
      try Data(repeating: 0xEE, count: 100_000).write(to: URL(fileURLWithPath: path))
      let destination = try CopyPlace(path).openDestination(isReadBack: false, isWritten: true, isResumed: false)
      var options = CopyOptions()
      options.isSparse = true
      options.chunkByteCount = 65_536
      let source = FaultyEndpoint("source", [UInt8](repeating: 0, count: 200_000), alignment: 1)
      #expect(await CopyEngine(source: source, destination: destination, options: options).run().isComplete)
      #expect(Array(try Data(contentsOf: URL(fileURLWithPath: path))) == source.bytes)
    }
  }

  @Test func aFileThatShrinksIsAnError() async throws {
    try await Self.withDirectory { directory in
      let path = directory + "/image"
      try Data(pattern(100_000)).write(to: URL(fileURLWithPath: path))
      let source = try CopyPlace(path).openSource()
      #expect(source.byteCount == 100_000)
      #expect(truncate(path, 50_000) == 0)
      var options = CopyOptions()
      options.chunkByteCount = 4096
      options.depth = 2
      let destination = FaultyEndpoint("device", [UInt8](repeating: 0, count: 1 << 20))
      let outcome = await CopyEngine(source: source, destination: destination, options: options).run()
      #expect(outcome.failure?.fault.description == "\(path) has become shorter: it ends at byte 50000")
      #expect(outcome.resumeOffset == 49_152)
    }
  }

  @Test func whatIsNoFileIsToldApart() async throws {
    try await Self.withDirectory { directory in
      #expect(throws: ToolError(.localError, "\(directory) is a directory")) {
        _ = try CopyPlace(directory).openSource()
      }
      #expect(throws: ToolError(.localError, "\(directory)/none could not be opened: No such file or directory")) {
        _ = try CopyPlace(directory + "/none").openSource()
      }
      let null = try CopyPlace("/dev/null").openDestination(isReadBack: false, isWritten: true, isResumed: false)
      #expect(null.isSequential)
    }
  }

  @Test func fullDiskEndsTheCopy() async throws {
    let destination = try CopyPlace("/dev/full").openDestination(isReadBack: false, isWritten: true, isResumed: false)
    let source = FaultyEndpoint("source", pattern(100 * 512))
    var options = CopyOptions()
    options.continuesOnError = true
    let outcome = await CopyEngine(source: source, destination: destination, options: options).run()
    #expect(outcome.failure?.fault.description == "writing to /dev/full at byte 0 failed: No space left on device")
    #expect(outcome.resumeOffset == 0)
  }
}
