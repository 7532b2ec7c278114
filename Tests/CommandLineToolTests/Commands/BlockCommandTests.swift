import BlockDevice
import EmbeddedTarget
import Foundation
import TestSupport
import Testing

@testable import CommandLineTool

/// Commands on blocks that move no data, and `nvmeof compare`, as a user runs them.
@Suite(.serialized) struct BlockCommandTests {
  @Test func zeroesAreWrittenAndBlocksGivenBack() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(8 * 512)
      #expect(try ToolProcess.run("write", uri, input: bytes).status == 0)
      let zeroed = try ToolProcess.run("write-zeroes", uri, "--start-block", "1", "--blocks", "2")
      #expect(zeroed.status == 0, "\(zeroed.errors)")
      let given = try ToolProcess.run("dsm", uri, "--ad", "--start-block", "5", "-c", "1")
      #expect(given.status == 0, "\(given.errors)")
      let zeroes = [UInt8](repeating: 0, count: 1024)
      let stored = try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: 8 * 512)
      // Memory that has been given back reads as zeroes.
      var expected = bytes
      expected.replaceSubrange(512..<1536, with: zeroes)
      expected.replaceSubrange(2560..<3584, with: zeroes)
      #expect(stored == expected)
      // All of it, which is more than one request.
      let all = try ToolProcess.run("write-zeroes", uri, "-z", "8M", "--deac")
      #expect(all.status == 0, "\(all.errors)")
      #expect(try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: 1024) == zeroes)
      for command in [["write-zeroes"], ["dsm", "--ad"], ["verify"]] {
        let beyond = try ToolProcess(command + [uri, "--start-block", "16383", "--blocks", "2"]).finish()
        #expect(beyond.status == 2)
        #expect(beyond.errors.contains("16384 blocks of 512 bytes, the last is 16383"), "\(beyond.errors)")
      }
      let nothing = try ToolProcess.run("dsm", uri, "--blocks", "1")
      #expect(nothing.status == 2 && nothing.errors.contains("--ad"), "\(nothing.errors)")
    }
  }

  /// Whoever gives a tool its pipes may have made them non-blocking.
  @Test func pipesThatDoNotBlock() async throws {
    signal(SIGPIPE, SIG_IGN)
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(4 << 20)
      let input = Pipe()
      try #require(fcntl(input.fileHandleForReading.fileDescriptor, F_SETFL, O_NONBLOCK) == 0)
      let writing = try ToolProcess(["write", uri], standardInput: input.fileHandleForReading)
      try input.fileHandleForReading.close()
      try input.fileHandleForWriting.write(contentsOf: bytes.prefix(1 << 20))
      // The tool has read all that there is, and looks for more.
      try await eventually {
        var count: Int32 = -1
        return ioctl(input.fileHandleForWriting.fileDescriptor, UInt(FIONREAD), &count) == 0 && count == 0
      }
      try await Task.sleep(for: .milliseconds(20))
      try input.fileHandleForWriting.write(contentsOf: bytes.dropFirst(1 << 20))
      try input.fileHandleForWriting.close()
      let written = try writing.finish()
      #expect(written.status == 0, "\(written.errors)")
      #expect(try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: bytes.count) == bytes)

      let output = Pipe()
      try #require(fcntl(output.fileHandleForWriting.fileDescriptor, F_SETFL, O_NONBLOCK) == 0)
      let reading = try ToolProcess(["read", uri, "-z", "4M"], standardOutput: output.fileHandleForWriting)
      try output.fileHandleForWriting.close()
      #expect(Array(try output.fileHandleForReading.readToEnd() ?? Data()) == bytes)
      let read = try reading.finish()
      #expect(read.status == 0, "\(read.errors)")
    }
  }

  @Test func aDifferenceIsFive() async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      // More than one piece of it.
      var bytes = pattern(3 << 20)
      #expect(try ToolProcess.run("write", uri, "--start-block", "16", input: bytes).status == 0)
      try await ToolScene.withFile(bytes) { path in
        let same = try ToolProcess.run("compare", uri, "--start-block", "16", "--data", path, "-f")
        #expect(same.status == 0, "\(same.errors)")
      }
      bytes[(2 << 20) + 700] ^= 1
      try await ToolScene.withFile(bytes) { path in
        let other = try ToolProcess.run("compare", uri, "--start-block", "16", "--data", path)
        #expect(other.status == 5)
        #expect(other.errors.contains("differs"), "\(other.errors)")
        // What is not asked for does not count.
        #expect(try ToolProcess.run("compare", uri, "--start-block", "16", "-z", "2M", "-d", path).status == 0)
      }
      #expect(try ToolProcess.run("compare", uri, input: pattern(100)).status == 2)
    }
  }

  @Test func flushAndVerifyAreSent() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      for (opcode, command) in [(UInt8(0x00), ["flush"]), (0x0C, ["verify", "--blocks", "100", "-f"])] {
        let sound = try ToolProcess(command + [uri]).finish()
        #expect(sound.status == 0, "\(sound.errors)")
        let fault = try await target.addFault(
          FaultRule(.ioCommand(opcode: opcode), .status(StatusField(.mediaAndDataIntegrity, 0x81).withDoNotRetry)))
        let failed = try ToolProcess(command + [uri]).finish()
        #expect(failed.status == 1)
        #expect(failed.errors.contains("Unrecovered Read Error"), "\(failed.errors)")
        try await target.removeFault(fault)
      }
    }
  }

  @Test func namespacesAndRegisters() async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      #expect(try ToolProcess.run("list-ns", uri).text == "[   0]:0x1\n[   1]:0x2\n")
      let list = try ToolScene.json(ToolProcess.run("list-ns", uri, "-o", "json"))
      #expect((list["nsid_list"] as? [[String: Int]])?.compactMap { $0["nsid"] } == [1, 2])
      let registers = try ToolScene.json(ToolProcess.run("show-regs", uri, "-o", "json"))
      // Ready, and nothing else (NVMe Base 2.1, figure 42).
      #expect(registers["csts"] as? Int == 1)
      // Enabled, with entries of 64 and 16 bytes.
      #expect((registers["cc"] as? Int).map { $0 & 0xFF_0001 } == 0x46_0001)
      // CAP has 64 bits: the command set's bit is above the first 32.
      #expect((registers["cap"] as? Int).map { $0 >> 37 & 1 } == 1)
      let text = try ToolProcess.run("show-regs", uri, "-H").text
      #expect(text.contains("NVMe 2.") && text.contains("Ready"), "\(text)")
    }
  }
}
