import Foundation
import Glibc
import Synchronization

/// A program that dies with this process.
///
/// The kernel ends it when the *thread* that started it ends (PR_SET_PDEATHSIG), so a thread of its own starts it and
/// then waits for it: that thread lives exactly as long as the program, or as this process.
final class ChildProcess: Sendable {
  private struct State {
    var identifier: pid_t = 0
    var exitStatus: Int32?
  }

  private let state = Mutex(State())
  private let ended = DispatchSemaphore(value: 0)

  /// Starts `arguments[0]`, searched in PATH.
  /// - Parameter descriptors: become descriptors 3, 4, … of the program; they stay the caller's. Standard output and
  ///   error go to `log`, standard input is empty, everything else is closed.
  init(_ arguments: [String], descriptors: [Int32], log: Int32) throws(NvmetGuestError) {
    let started = DispatchSemaphore(value: 0)
    let failure = Mutex<Int32>(0)
    let thread = Thread { [self] in
      let (identifier, errorNumber) = Self.spawn(arguments, descriptors: descriptors, log: log)
      state.withLock { $0.identifier = identifier }
      failure.withLock { $0 = errorNumber }
      started.signal()
      guard errorNumber == 0 else { return }
      // WNOWAIT leaves the identifier reserved until the state says that it is over: `kill` never hits a stranger.
      var information = siginfo_t()
      while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
      state.withLock { state in
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        state.exitStatus = status
      }
      ended.signal()
    }
    thread.name = "nvmet guest"
    thread.start()
    started.wait()
    let errorNumber = failure.withLock { $0 }
    if errorNumber != 0 { throw .system("starting \(arguments[0])", errorNumber: errorNumber) }
  }

  var isRunning: Bool { state.withLock { $0.exitStatus == nil } }

  /// Ends the program at once and waits until it is gone. May be called several times, from any thread.
  func kill() {
    state.withLock { state in
      if state.exitStatus == nil, state.identifier > 0 { _ = Glibc.kill(state.identifier, SIGKILL) }
    }
    ended.wait()
    ended.signal()
  }

  private static func spawn(_ arguments: [String], descriptors: [Int32], log: Int32) -> (pid_t, Int32) {
    // Out of the way first: a descriptor must not sit where another is to be put.
    let high = (descriptors + [log]).map { fcntl($0, F_DUPFD_CLOEXEC, 100) }
    defer { for descriptor in high where descriptor >= 0 { close(descriptor) } }
    guard high.allSatisfy({ $0 >= 0 }) else { return (0, errno) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, high[descriptors.count], 1)
    posix_spawn_file_actions_adddup2(&actions, high[descriptors.count], 2)
    for index in descriptors.indices {
      posix_spawn_file_actions_adddup2(&actions, high[index], 3 + Int32(index))
    }
    // Otherwise the program would keep other tests' sockets open. glibc has this since 2.34, but shows it to C only
    // with _GNU_SOURCE, which Swift's module of it is built without.
    typealias AddCloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    if let symbol = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np") {
      _ = unsafeBitCast(symbol, to: AddCloseFrom.self)(&actions, 3 + Int32(descriptors.count))
    }

    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    var identifier: pid_t = 0
    let result = posix_spawnp(&identifier, arguments[0], &actions, nil, pointers, environ)
    return (identifier, result)
  }
}
