import Glibc
import Testing

@testable import Daemon

struct FileLockTests {
  @Test func oneHoldsItAtATime() throws {
    let path = "/tmp/nvmeofd-lock-test-\(getpid())"
    do {
      let lock = try FileLock(besides: path)
      #expect(throws: FileLock.Failure.self) { try FileLock(besides: path) }
      withExtendedLifetime(lock) {}
    }
    // It goes with its holder, and can be had anew.
    #expect(access(path + ".lock", F_OK) != 0)
    for _ in 0..<3 { _ = try FileLock(besides: path) }
  }

  @Test func aFileThatLinksElsewhereIsNoLock() throws {
    let path = "/tmp/nvmeofd-lock-link-\(getpid())"
    symlink("/tmp/nvmeofd-lock-elsewhere-\(getpid())", path + ".lock")
    defer { unlink(path + ".lock") }
    #expect(throws: FileLock.Failure.self) { try FileLock(besides: path) }
    #expect(access("/tmp/nvmeofd-lock-elsewhere-\(getpid())", F_OK) != 0)
  }
}
