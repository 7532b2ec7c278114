import Foundation

/// QEMU's machine protocol: one JSON object a line.
struct QMPConnection: ~Copyable {
  private var lines: LineConnection

  /// Takes over a socket whose other end is QEMU's monitor, and negotiates.
  init(_ socket: consuming FileDescriptor, deadline: ContinuousClock.Instant) throws(NvmetGuestError) {
    lines = LineConnection(socket)
    guard try lines.receiveLine(until: deadline) != nil else { throw .badReply("QEMU's monitor said nothing") }
    _ = try execute("qmp_capabilities", deadline: deadline)
  }

  /// Runs a command and returns what it returned as text, empty unless that is a string.
  mutating func execute(
    _ command: String, arguments: [String: String] = [:], deadline: ContinuousClock.Instant
  ) throws(NvmetGuestError) -> String {
    let request: [String: any Sendable] = ["execute": command, "arguments": arguments]
    guard let data = try? JSONSerialization.data(withJSONObject: request),
      try lines.send(String(decoding: data, as: UTF8.self), until: deadline)
    else { throw .badReply("QEMU's monitor takes no command") }
    while let line = try lines.receiveLine(until: deadline) {
      guard let reply = (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] else {
        throw .badReply("QEMU's monitor said: \(line)")
      }
      if reply["error"] != nil { throw .badReply("QEMU refused \(command): \(line)") }
      if let result = reply["return"] { return result as? String ?? "" }
      // Anything else is an event.
    }
    throw .badReply("QEMU's monitor did not answer \(command)")
  }
}
