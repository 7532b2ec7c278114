import Foundation
import Testing

/// Runs the attach gate, whose process nobody else allocates in.
@Suite(.timeLimit(.minutes(5))) struct AttachGateTests {
  @Test func `A thousand attach and detach cycles beside a load leave nothing behind`() throws {
    let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent("AttachGate")
    let process = Process()
    process.executableURL = executable
    process.arguments = ["1000"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0 && text.contains("nothing was left behind"), "\(text)")
  }
}
