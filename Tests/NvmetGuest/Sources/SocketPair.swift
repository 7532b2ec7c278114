import Glibc

/// Two connected stream sockets, both closed in every program that is started.
struct SocketPair: ~Copyable {
  /// For this process.
  let here: FileDescriptor
  /// For the program at the other end.
  let there: FileDescriptor

  init() throws(NvmetGuestError) {
    var pair: [Int32] = [-1, -1]
    _ = try SystemCall.check("socketpair") {
      socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair)
    }
    here = FileDescriptor(pair[0])
    there = FileDescriptor(pair[1])
  }

  /// Closes the other program's end, which that has a copy of: so its end is noticed.
  consuming func takeHere() -> FileDescriptor {
    here
  }
}
