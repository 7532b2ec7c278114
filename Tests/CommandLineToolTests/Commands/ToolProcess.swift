import Foundation
import Glibc
import Testing

/// The built `nvmeof` as a process.
final class ToolProcess {
  struct Result {
    var status: Int32
    var output: [UInt8]
    var errors: String
    var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// Beside the test bundle, where the build puts it.
  static let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    .appendingPathComponent("nvmeof")

  let process = Process()
  private let output = Pipe()
  private let errors = Pipe()
  let input = Pipe()

  /// - Parameters:
  ///   - standardInput: in place of what is written with `write`.
  ///   - standardOutput: in place of what `finish` gives.
  init(
    _ arguments: [String], directory: String? = nil, standardInput: FileHandle? = nil, standardOutput: FileHandle? = nil
  ) throws {
    try #require(
      FileManager.default.isExecutableFile(atPath: Self.executable.path),
      "\(Self.executable.path) is not built: these tests run the tool itself")
    process.executableURL = Self.executable
    process.arguments = arguments
    // Nothing of the machine's own identity.
    var environment = ProcessInfo.processInfo.environment
    environment["XDG_CONFIG_HOME"] = NSTemporaryDirectory() + "nvmeof-cli-tests-configuration"
    process.environment = environment
    if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
    process.standardOutput = standardOutput ?? output
    process.standardError = errors
    process.standardInput = standardInput ?? input
    try process.run()
    // Nobody else writes to it then: its end is to be seen.
    if standardOutput != nil { try output.fileHandleForWriting.close() }
  }

  func write(_ bytes: [UInt8]) { input.fileHandleForWriting.write(Data(bytes)) }

  /// The first line of output, read as it comes.
  func firstLine() -> String {
    var line: [UInt8] = []
    while let byte = try? output.fileHandleForReading.read(upToCount: 1), let value = byte.first, value != 10 {
      line.append(value)
    }
    return String(decoding: line, as: UTF8.self)
  }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Waits for the end; standard input ends first unless it is left open.
  func finish(leavingInputOpen: Bool = false) throws -> Result {
    if !leavingInputOpen { try input.fileHandleForWriting.close() }
    // Both pipes are drained at once: neither may fill up.
    nonisolated(unsafe) var errorData = Data()
    let errorHandle = errors.fileHandleForReading
    let group = DispatchGroup()
    DispatchQueue.global().async(group: group) { errorData = (try? errorHandle.readToEnd()) ?? Data() }
    let outputData = (try? output.fileHandleForReading.readToEnd()) ?? Data()
    group.wait()
    process.waitUntilExit()
    return Result(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: Array(outputData), errors: String(decoding: errorData, as: UTF8.self))
  }

  static func run(_ arguments: String..., input: [UInt8] = []) throws -> Result {
    let tool = try ToolProcess(arguments)
    if !input.isEmpty { tool.write(input) }
    return try tool.finish()
  }
}
