internal import Glibc
package import RingReactor
internal import Synchronization

/// The daemon's reactors and their threads, numbered: 0 is the control reactor, the I/O reactors follow.
package final class ServiceThreads: Sendable {
  package struct Thread: Sendable {
    package var index: Int
    package var name: String
    package var reactor: ReactorHandle
    /// The kernel's number of the thread; 0 while it is not known.
    package var threadIdentifier: Int32 = 0

    /// Processor time the thread has used, nanoseconds.
    package var busyNanoseconds: UInt64 {
      guard threadIdentifier != 0 else { return 0 }
      var time = timespec()
      // A thread's own clock, as the kernel numbers them (include/linux/posix-timers.h): its complement, shifted, with
      // "per thread" and "scheduler's time" behind it.
      guard clock_gettime((~threadIdentifier) << 3 | 6, &time) == 0 else { return 0 }
      return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
  }

  private let threads: Mutex<[Thread]>
  /// When the daemon began, nanoseconds of `CLOCK_MONOTONIC`.
  package let startNanoseconds = MonotonicClock.nanoseconds()
  /// The same in seconds since 1970, as the clock was set then.
  package let startTimeSeconds = UInt64(clamping: time(nil))

  init(control: ReactorHandle, reactors: [ReactorHandle]) {
    var threads = [Thread(index: 0, name: "control", reactor: control)]
    for (index, reactor) in reactors.enumerated() where reactor !== control {
      threads.append(Thread(index: threads.count, name: "io_\(index)", reactor: reactor))
    }
    self.threads = Mutex(threads)
    for thread in threads {
      thread.reactor.post { [weak self] _ in self?.note(Self.currentThread, thread.index) }
    }
  }

  package var all: [Thread] { threads.withLock { $0 } }

  /// The number of a reactor.
  package func index(of reactor: ReactorHandle) -> Int { all.first { $0.reactor === reactor }?.index ?? 0 }

  private func note(_ identifier: Int32, _ index: Int) {
    threads.withLock { $0[index].threadIdentifier = identifier }
  }

  private static var currentThread: Int32 {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
      // "PID/task/TID"
      let count = readlink("/proc/thread-self", text.baseAddress!, 63)
      guard count > 0 else { return 0 }
      text[count] = 0
      let path = String(cString: text.baseAddress!)
      return path.split(separator: "/").last.flatMap { Int32($0) } ?? 0
    }
  }
}
