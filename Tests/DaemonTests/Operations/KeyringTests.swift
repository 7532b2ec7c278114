import Glibc
import JSONRPC
import Testing

@testable import Daemon

struct KeyringTests {
  @Test func itIsBounded() async throws {
    let path = "/tmp/nvmeofd-key-\(getpid())"
    close(open(path, O_WRONLY | O_CREAT, 0o600))
    defer { unlink(path) }
    let keyring = Keyring()
    for number in 0..<Keyring.maximumCount { try await keyring.add("key\(number)", path: path) }
    await #expect(throws: RPCError.system(ENOSPC, detail: "name: there are 4096 keys already")) {
      try await keyring.add("more", path: path)
    }
    try keyring.remove("key7")
    try await keyring.add("more", path: path)
    await #expect(throws: RPCError.self) { try await Keyring().add(String(repeating: "x", count: 1025), path: path) }
  }
}
