import Conformance
import Foundation
import Glibc
import Testing

/// The built `nvmeof-conformance` as a process.
@Suite("The conformance tool", .serialized)
struct ToolTests {
  /// Beside the test bundle, where the build puts it.
  private static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().appendingPathComponent("nvmeof-conformance")

  private static func run(
    _ arguments: [String], standardOutput: FileHandle = .nullDevice
  ) throws -> (status: Int32, errors: String) {
    let process = Process()
    let errors = Pipe()
    process.executableURL = executable
    process.arguments = arguments
    process.standardOutput = standardOutput
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus, text)
  }

  @Test(
    "output that cannot be written is 2, and silent only where the reader has gone", arguments: ["--list", "--help"])
  func unwritable(option: String) throws {
    let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
    let lost = try Self.run([option], standardOutput: full)
    #expect(lost.status == 2)
    #expect(lost.errors == "nvmeof-conformance: standard output cannot be written: No space left on device\n")
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let unread = try Self.run([option], standardOutput: pipe.fileHandleForWriting)
    #expect(unread.status == 2)
    #expect(unread.errors.isEmpty)
    #expect(try Self.run([option]).status == 0)
  }

  @Test("a target that names no subsystem, or a namespace that is not there, is a wrong command line")
  func wrongTargets() async throws {
    let (control, target) = try await EmbeddedControl.start()
    let address = "nvme+tcp://127.0.0.1:\(target.port)"
    for (arguments, problem) in [
      ([address], "the subsystem's NQN is missing"),
      (["\(address)/\(EmbeddedControl.open)?nsid=99"], "there is no namespace 99; there are: 1, 2\n"),
      (["\(address)/\(EmbeddedControl.open)?nsid=1", "--nsid", "99"], "there is no namespace 99; there are: 1, 2\n"),
      (["\(address)/\(EmbeddedControl.open)", "--nsid", "0"], "--nsid is 1 to 4294967294, not 0\n"),
      (["\(address)/\(EmbeddedControl.open)", "--nsid", "4294967295"], "--nsid is 1 to 4294967294, not 4294967295\n"),
    ] {
      let result = try Self.run(["--only", "connect.admin", "--target"] + arguments)
      #expect(result.status == 2)
      #expect(result.errors.contains(problem), "\(result.errors)")
    }
    await control.stop()
  }

  @Test("reports are written in place: what a link leads to is written, and the link stays")
  func inPlace() async throws {
    let (control, target) = try await EmbeddedControl.start()
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("conformance-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(at: directory) }
    let link = directory.appendingPathComponent("link").path
    let report = directory.appendingPathComponent("report").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: report)
    let arguments = ["--target", "\(target)?nsid=1", "--only", "connect.admin"]
    let written = try Self.run(arguments + ["--tap", link])
    #expect(written.status == 0, "\(written.errors)")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == report)
    #expect(try String(contentsOfFile: report, encoding: .utf8).hasPrefix("TAP version 14"))
    let refused = try Self.run(arguments + ["--junit", directory.path])
    #expect(refused.status == 2)
    #expect(refused.errors.contains("\(directory.path) cannot be written: Is a directory"))
    await control.stop()
  }
}
