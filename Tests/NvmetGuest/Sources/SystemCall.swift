import Glibc

/// Names for the failures of the few system calls the harness makes.
enum SystemCall {
  static func message(_ errorNumber: Int32) -> String {
    guard let text = strerror(errorNumber) else { return "error \(errorNumber)" }
    return String(cString: text)
  }

  /// The result of a call that returns -1 on failure; calls that a signal interrupted are repeated.
  static func check(_ what: String, _ body: () -> Int32) throws(NvmetGuestError) -> Int32 {
    while true {
      let result = body()
      if result >= 0 { return result }
      if errno != EINTR { throw .system(what, errorNumber: errno) }
    }
  }
}
