import Glibc

/// Holds the thread up, as a program does that has something else to do.
enum Pause {
  static func milliseconds(_ count: UInt32) { usleep(count * 1000) }
}
