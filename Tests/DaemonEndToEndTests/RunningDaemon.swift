import Foundation
import Glibc

/// `nvmeofd` as a process of its own, and a client of its JSON-RPC.
final class RunningDaemon {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  let directory: String
  private let process = Process()
  private let connection: Int32
  private var lastIdentifier = 0

  /// Starts the daemon with its socket and its log in a directory of its own, and connects to it.
  init() throws {
    directory = "/tmp/nvmeofd-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let log = directory + "/log"
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    process.executableURL = root.appendingPathComponent(".build/debug/nvmeofd")
    process.arguments = ["--rpc-socket", directory + "/rpc.sock"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: log)
    try process.run()
    connection = try Self.connect(directory + "/rpc.sock", process)
  }

  deinit {
    close(connection)
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// What the daemon has logged.
  var log: String { (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? "" }

  /// Calls a method and waits for its result, at most two minutes.
  @discardableResult
  func call(_ method: String, _ parameters: [String: any Sendable] = [:]) throws -> Any {
    lastIdentifier += 1
    var request: [String: Any] = ["jsonrpc": "2.0", "id": lastIdentifier, "method": method]
    if !parameters.isEmpty { request["params"] = parameters }
    let bytes = [UInt8](try JSONSerialization.data(withJSONObject: request))
    guard write(connection, bytes, bytes.count) == bytes.count else {
      throw Failure(description: "\(method): the daemon takes nothing: \(log)")
    }
    var answer: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while answer.last != UInt8(ascii: "\n") {
      let count = read(connection, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(description: "\(method): no answer: \(log)") }
      answer += piece.prefix(count)
    }
    guard let reply = try JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any],
      reply["id"] as? Int == lastIdentifier, let result = reply["result"]
    else { throw Failure(description: "\(method): \(String(decoding: answer, as: UTF8.self))") }
    return result
  }

  /// Asks the daemon to end, and waits for it. Its exit status.
  func terminate() -> Int32 {
    process.terminate()
    process.waitUntilExit()
    return process.terminationStatus
  }

  private static func connect(_ path: String, _ process: Process) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    for _ in 0..<600 {
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      if status == 0 {
        var limit = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
      }
      guard process.isRunning else { break }
      usleep(50_000)
    }
    close(descriptor)
    throw Failure(description: "nvmeofd does not answer at \(path)")
  }
}
