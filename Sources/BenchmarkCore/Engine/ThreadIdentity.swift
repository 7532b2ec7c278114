internal import Glibc

/// Facts about, and settings of, the calling thread.
enum ThreadIdentity {
  /// The kernel's identifier of the calling thread; 0 if /proc is not there.
  static func current() -> Int32 {
    // gettid() does not import; the link reads "PROCESS/task/THREAD".
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      let length = readlink("/proc/thread-self", start, 63)
      guard length > 0 else { return 0 }
      var value: Int32 = 0
      for index in 0..<length {
        let byte = buffer[index]
        value = byte >= 48 && byte <= 57 ? value &* 10 &+ Int32(byte - 48) : 0
      }
      return value
    }
  }

  /// Limits the calling thread to some processors; false when the system refuses.
  static func bind(to processors: [Int]) -> Bool {
    var set = cpu_set_t()
    withUnsafeMutableBytes(of: &set) { bytes in
      for processor in processors where processor >= 0 && processor / 8 < bytes.count {
        bytes[processor / 8] |= 1 << UInt8(processor % 8)
      }
    }
    // A GNU extension, which the Glibc module does not show.
    typealias SetAffinity = @convention(c) (pid_t, Int, UnsafeRawPointer) -> Int32
    guard let symbol = dlsym(nil, "sched_setaffinity") else { return false }
    return unsafeBitCast(symbol, to: SetAffinity.self)(0, MemoryLayout<cpu_set_t>.size, &set) == 0
  }
}
