import Glibc
import Testing

@testable import Daemon

struct RPCLockTests {
  @Test func oneHoldsItAtATime() throws {
    let path = "/tmp/nvmeofd-lock-test-\(getpid())"
    do {
      let lock = try RPCLock(besides: path)
      #expect(throws: RPCServerError.self) { try RPCLock(besides: path) }
      withExtendedLifetime(lock) {}
    }
    // It goes with its holder, and can be had anew.
    #expect(access(path + ".lock", F_OK) != 0)
    for _ in 0..<3 { _ = try RPCLock(besides: path) }
  }

  @Test func aFileThatLinksElsewhereIsNoLock() throws {
    let path = "/tmp/nvmeofd-lock-link-\(getpid())"
    symlink("/tmp/nvmeofd-lock-elsewhere-\(getpid())", path + ".lock")
    defer { unlink(path + ".lock") }
    #expect(throws: RPCServerError.self) { try RPCLock(besides: path) }
    #expect(access("/tmp/nvmeofd-lock-elsewhere-\(getpid())", F_OK) != 0)
  }
}
