import Testing

@testable import CommandLineTool

@Suite struct CopyPlanTests {
  private static func problem(
    source: FaultyEndpoint = FaultyEndpoint("source", [UInt8](repeating: 0, count: 8192), alignment: 512),
    destination: FaultyEndpoint = FaultyEndpoint("destination", [UInt8](repeating: 0, count: 8192), alignment: 4096),
    _ change: (inout CopyOptions) -> Void
  ) -> String? {
    var options = CopyOptions()
    change(&options)
    do throws(ToolError) {
      try CopyPlan.check(source: source, destination: destination, options: options)
      return nil
    } catch {
      #expect(error.status == .usage)
      return error.description
    }
  }

  @Test func goodOptionsPass() { #expect(Self.problem { _ in } == nil) }

  @Test func eachWrongOptionIsNamed() {
    #expect(Self.problem { $0.depth = 0 } == "--depth is 1 to 1024, not 0")
    #expect(
      Self.problem { $0.chunkByteCount = 1024 } == "--block-size 1024 is not a multiple of the block size 4096")
    #expect(
      Self.problem {
        $0.chunkByteCount = 64 << 20; $0.depth = 1024
      }?.contains("more than 4 GiB") == true)
    #expect(
      Self.problem { $0.sourceOffset = 100 } == "--offset 100 is not a multiple of the block size of source, 512")
    #expect(
      Self.problem { $0.destinationOffset = 512 }
        == "--destination-offset 512 is not a multiple of the block size of destination, 4096")
    #expect(Self.problem { $0.resumeOffset = 512 }?.hasPrefix("--resume-from 512 is not a multiple") == true)
    #expect(Self.problem { $0.byteCount = 100 }?.hasPrefix("--length 100 is not a multiple") == true)
    #expect(
      Self.problem { $0.sourceOffset = 16_384 } == "--offset 16384 is beyond the end of source, which has 8192 bytes")
    #expect(Self.problem { $0.byteCount = 16_384 }?.contains("reaches beyond the end of source") == true)
    #expect(Self.problem { $0.resumeOffset = 16_384 }?.contains("beyond the 8192 bytes to be copied") == true)
    #expect(
      Self.problem { $0.destinationOffset = 4096 }
        == "8192 bytes do not fit into destination, which has room for 4096 behind --destination-offset; "
        + "give a smaller --length")
    #expect(Self.problem { $0.destinationOffset = 1 << 60 }?.contains("do not fit") == true)
  }

  /// A file has no end that a place could lie behind, but the system's numbers for places have.
  @Test func placesBeyondWhatFilesHaveAreRefused() {
    let source = FaultyEndpoint("source", [UInt8](repeating: 0, count: 8192), alignment: 1)
    let file = FaultyEndpoint("file", [], alignment: 1, isGrowing: true)
    let huge: UInt64 = 9_223_372_036_854_775_000
    let options: [(String, WritableKeyPath<CopyOptions, UInt64>)] = [
      ("--offset", \.sourceOffset), ("--destination-offset", \.destinationOffset), ("--resume-from", \.resumeOffset),
    ]
    for (name, path) in options {
      #expect(
        Self.problem(source: source, destination: file) { $0[keyPath: path] = huge }
          == "\(name) is at most 2 EiB, not \(huge)")
    }
    #expect(
      Self.problem(source: source, destination: file) { $0.byteCount = huge }
        == "--length is at most 2 EiB, not \(huge)")
    #expect(Self.problem(source: source, destination: file) { $0.destinationOffset = 1 << 61 } == nil)
  }

  @Test func whatIsWrongWithoutADestinationIsKnownBeforeItIsMade() {
    let source = FaultyEndpoint("source", [UInt8](repeating: 0, count: 8192), alignment: 512)
    var options = CopyOptions()
    options.byteCount = 16_384
    #expect(throws: ToolError.self) { try CopyPlan.check(source: source, destination: nil, options: options) }
    options.byteCount = 8192
    #expect(throws: Never.self) { try CopyPlan.check(source: source, destination: nil, options: options) }
  }

  @Test func streamsCannotBeReadBack() {
    let pipe = FaultyEndpoint("pipe", [], alignment: 1, isSequential: true, isGrowing: true)
    #expect(
      Self.problem(destination: pipe) { $0.verifiesEachChunk = true } == "pipe cannot be read back: leave --verify out")
    #expect(Self.problem(source: pipe) { $0.mode = .verify }?.contains("cannot be compared") == true)
  }
}
