import BlockDevice
import EmbeddedTarget
import Foundation
import Glibc
import TestSupport
import Testing

@testable import CommandLineTool

/// `nvmeof copy`, as a user runs it.
@Suite(.serialized) struct CopyToolTests {
  @Test func copyThereAndBack() async throws {
    try await ToolScene.withTarget { target, _, uri, other in
      let bytes = pattern(3_000_000) + [UInt8](repeating: 0, count: 1 << 20) + pattern(777, seed: 2)
      try await ToolScene.withFile(bytes) { path in
        let there = try ToolProcess.run("copy", path, uri, "--verify", "-g", "-G", "--depth", "8")
        #expect(there.status == 0, "\(there.errors)")
        #expect(there.errors.contains("; verified"))
      }
      #expect(try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: bytes.count) == bytes)
      // Between block sizes, through a pipe, and into a sparse file.
      #expect(try ToolProcess.run("copy", uri, other, "--sparse", "--verify", "--quiet").status == 0)
      let streamed = try ToolProcess.run("copy", other, "-", "--length", "4M")
      #expect(streamed.status == 0)
      #expect(Array(streamed.output.prefix(bytes.count)) == bytes)
      try await ToolScene.withFile { path in
        let back = try ToolProcess.run("copy", other, path, "--sparse", "-o", "json")
        let report = try ToolScene.json(back)
        #expect(report["complete"] as? Bool == true)
        #expect(report["bytes"] as? Int == 8 << 20)
        #expect((report["zero_bytes"] as? Int ?? 0) > 4 << 20)
        #expect(Array(try ToolScene.contents(path).prefix(bytes.count)) == bytes)
        #expect(report["verified"] as? Bool == false)
        let same = try ToolProcess.run("copy", uri, path, "--verify-only", "-o", "json")
        #expect(same.status == 0)
        #expect(try ToolScene.json(same)["verified"] as? Bool == true)
        try await target.writeNamespace(1, of: ToolScene.nqn, offset: 1_000_000, bytes: [1, 2, 3, 4])
        let differs = try ToolProcess.run("copy", uri, path, "--verify-only")
        #expect(differs.status == 5)
        #expect(differs.errors.contains("differs from"))
      }
      let piped = try ToolProcess.run("copy", "-", uri, "--verify", "--destination-offset", "1M", input: bytes)
      #expect(piped.status == 0, "\(piped.errors)")
      #expect(try await target.readNamespace(1, of: ToolScene.nqn, offset: 1 << 20, byteCount: bytes.count) == bytes)
      // What has been done before is dropped from the stream.
      let changed = pattern(1 << 20, seed: 3)
      let resumed = try ToolProcess.run("copy", "-", uri, "--resume-from", "512K", input: changed)
      #expect(resumed.status == 0, "\(resumed.errors)")
      let stored = try await target.readNamespace(1, of: ToolScene.nqn, offset: 512 << 10, byteCount: 512 << 10)
      #expect(stored == Array(changed[(512 << 10)...]))
      let short = try ToolProcess.run("copy", "-", uri, "--resume-from", "512K", input: pattern(1000))
      #expect(short.status == 4)
      #expect(short.errors.contains("ended after 1000 bytes"))
    }
  }

  @Test func copyTellsWhatIsBadAndGoesOn() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(8 << 20)
      try await target.writeNamespace(1, of: ToolScene.nqn, offset: 0, bytes: bytes)
      var rule = FaultRule(.ioCommand(opcode: 2), .status(.unrecoveredReadError))
      rule.blocks = 5000...5002
      let fault = try await target.addFault(rule)
      try await ToolScene.withFile { path in
        let stopped = try ToolProcess.run("copy", uri, path)
        #expect(stopped.status == 1)
        #expect(stopped.errors.contains("read of blocks 5000…5000"))
        #expect(stopped.errors.contains("Unrecovered Read Error"))
        #expect(stopped.errors.contains("not complete; go on with the same command and --resume-from \(5000 * 512)\n"))
        let listed = try ToolProcess.run("copy", uri, path, "--continue-on-error", "-o", "json")
        #expect(listed.status == 6)
        let report = try ToolScene.json(listed)
        let bad = try #require(report["bad_ranges"] as? [[String: Any]])
        #expect(bad.count == 1)
        #expect(bad[0]["source_lba"] as? Int == 5000)
        #expect(bad[0]["source_blocks"] as? Int == 3)
        #expect(report["resume_from"] is NSNull)
        #expect(try ToolScene.contents(path).count == bytes.count)
        try await target.removeFault(fault)
        let resumed = try ToolProcess.run("copy", uri, path, "--resume-from", "\(5000 * 512)")
        #expect(resumed.status == 0)
        #expect(try ToolScene.contents(path) == bytes)
      }
    }
  }

  /// A namespace is the same one however it is spelled, and may be copied from one place of it to another.
  @Test func aNamespaceOntoItself() async throws {
    try await ToolScene.withTarget { target, port, uri, _ in
      let bytes = pattern(8 << 20)
      try await target.writeNamespace(1, of: ToolScene.nqn, offset: 0, bytes: bytes)
      let identifier = "traddr:127.0.0.1 trtype:TCP trsvcid:\(port) subnqn:\(ToolScene.nqn) ns:1"
      for other in [uri, uri + "&kato=5000", identifier] {
        for arguments in [[], ["--length", "2M", "--destination-offset", "1M"]] {
          let refused = try ToolProcess(["copy", uri, other] + arguments).finish()
          #expect(refused.status == 2)
          #expect(refused.errors.contains("are the same namespace"), "\(refused.errors)")
        }
        // Not in the expectation, which would look for the differences of millions of bytes.
        let isUnharmed = try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: 8 << 20) == bytes
        #expect(isUnharmed)
      }
      let moved = try ToolProcess.run("copy", uri, uri, "--length", "2M", "--destination-offset", "2M", "--verify")
      #expect(moved.status == 0, "\(moved.errors)")
      let stored = try await target.readNamespace(1, of: ToolScene.nqn, offset: 0, byteCount: 4 << 20)
      #expect(stored == Array(bytes.prefix(2 << 20) + bytes.prefix(2 << 20)))
    }
  }

  /// What cannot be read at the end leaves a gap, too, and nothing that could be called verified.
  @Test func badBlocksAtTheEnd() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(8 << 20)
      try await target.writeNamespace(1, of: ToolScene.nqn, offset: 0, bytes: bytes)
      var rule = FaultRule(.ioCommand(opcode: 2), .status(.unrecoveredReadError))
      rule.blocks = 16_000...16_383
      _ = try await target.addFault(rule)
      for sparse in [[], ["--sparse"]] {
        try await ToolScene.withFile { path in
          let arguments = ["copy", uri, path, "--continue-on-error", "--verify"] + sparse
          let copied = try ToolProcess(arguments).finish()
          #expect(copied.status == 6, "\(copied.errors)")
          #expect(copied.errors.contains("bad range") && !copied.errors.contains("verified"), "\(copied.errors)")
          let expected = bytes.prefix(16_000 * 512) + [UInt8](repeating: 0, count: 384 * 512)
          let isWhole = try ToolScene.contents(path) == Array(expected)
          #expect(isWhole)
          let report = try ToolScene.json(try ToolProcess(arguments + ["-o", "json"]).finish())
          #expect(report["verified"] as? Bool == false)
        }
      }
    }
  }

  @Test func aWrongCopyLeavesNoFile() async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      try await ToolScene.withFile { path in
        for (option, value) in [("--length", "16M"), ("--destination-offset", "9223372036854775000")] {
          let result = try ToolProcess.run("copy", uri, path, option, value)
          #expect(result.status == 2)
          #expect(result.errors.contains("\(option) "), "\(result.errors)")
          #expect(!FileManager.default.fileExists(atPath: path))
        }
      }
    }
  }

  /// What is said to have been done before has to be there.
  @Test func resumedCopiesGoOnWithWhatIsThere() async throws {
    try await ToolScene.withTarget { target, _, uri, _ in
      let bytes = pattern(8 << 20)
      try await target.writeNamespace(1, of: ToolScene.nqn, offset: 0, bytes: bytes)
      try await ToolScene.withFile { path in
        let arguments = ["copy", uri, path, "--resume-from", "4M", "--verify"]
        let nowhere = try ToolProcess(arguments).finish()
        #expect(nowhere.status == 4)
        #expect(nowhere.errors.contains("could not be opened: No such file"), "\(nowhere.errors)")
        #expect(!FileManager.default.fileExists(atPath: path))
        try Data().write(to: URL(fileURLWithPath: path))
        let empty = try ToolProcess(arguments).finish()
        #expect(empty.status == 2)
        #expect(empty.errors.contains("--resume-from 4194304"), "\(empty.errors)")
        #expect(try ToolScene.contents(path).isEmpty)
        try Data(bytes.prefix(3 << 20)).write(to: URL(fileURLWithPath: path))
        let short = try ToolProcess(arguments).finish()
        #expect(short.status == 2)
        #expect(short.errors.contains("so no more than 3145728 of the range have been done"), "\(short.errors)")
        #expect(try ToolScene.contents(path).count == 3 << 20)
        // All of it is compared, also what was copied before.
        var before = Array(bytes.prefix(4 << 20))
        before[1_000_000] ^= 1
        try Data(before).write(to: URL(fileURLWithPath: path))
        let damaged = try ToolProcess(arguments).finish()
        #expect(damaged.status == 5, "\(damaged.errors)")
        #expect(damaged.errors.contains("at byte 1000000"), "\(damaged.errors)")
        before[1_000_000] ^= 1
        try Data(before).write(to: URL(fileURLWithPath: path))
        let whole = try ToolProcess(arguments).finish()
        #expect(whole.status == 0)
        #expect(whole.errors.contains("; verified\n"), "\(whole.errors)")
      }
      // Of a stream what was done before is not there any more.
      let piped = try ToolProcess.run("copy", "-", uri, "--resume-from", "4M", "--verify", input: bytes)
      #expect(piped.status == 0)
      #expect(piped.errors.contains("; verified from byte 4194304 on\n"), "\(piped.errors)")
    }
  }

  @Test func copiesThatCannotGoOnAreNotToldHow() async throws {
    try await ToolScene.withTarget { _, _, uri, _ in
      let filled = try ToolProcess.run("copy", "/dev/zero", uri)
      #expect(filled.status == 1)
      #expect(filled.errors.contains("is longer than what is left of"))
      #expect(!filled.errors.contains("--resume-from"), "\(filled.errors)")
      let pipe = Pipe()
      try pipe.fileHandleForReading.close()
      let unread = try ToolProcess(["copy", uri, "-"], standardOutput: pipe.fileHandleForWriting).finish()
      #expect(unread.status == 4)
      #expect(unread.errors.contains("Broken pipe"))
      #expect(!unread.errors.contains("--resume-from"), "\(unread.errors)")
    }
  }
}
