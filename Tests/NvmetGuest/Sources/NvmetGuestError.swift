/// Why the guest could not be built, started or told something.
public enum NvmetGuestError: Error, CustomStringConvertible {
  /// A program of the host is missing; `package` is the Debian package that has it.
  case missingTool(String, package: String)
  /// `Tests/NvmetGuest/build-guest` failed; what it printed is on standard error.
  case buildFailed(status: Int32)
  /// The guest did not come up; `console` is the end of what its kernel and QEMU printed.
  case startFailed(String, console: String)
  /// A script inside the guest ended with a status other than zero.
  case scriptFailed(status: Int32, output: String, script: String)
  /// The guest did not answer in time.
  case timedOut(String, console: String)
  /// The guest is not running any more.
  case stopped(String, console: String)
  /// The guest or QEMU said something that could not be understood.
  case badReply(String)
  /// A system call of the host failed.
  case system(String, errorNumber: Int32)

  public var description: String {
    switch self {
    case .missingTool(let tool, let package):
      "'\(tool)' is missing, so no nvmet guest can run; install Debian's package: apt-get install \(package)"
    case .buildFailed(let status):
      "Tests/NvmetGuest/build-guest failed with status \(status); its messages are on standard error"
    case .startFailed(let reason, let console):
      "the nvmet guest did not start: \(reason)\n--- console ---\n\(console)"
    case .scriptFailed(let status, let output, let script):
      "a script in the nvmet guest ended with status \(status): \(output)\n--- script ---\n\(script)"
    case .timedOut(let what, let console):
      "the nvmet guest did not answer in time: \(what)\n--- console ---\n\(console)"
    case .stopped(let what, let console):
      "the nvmet guest is gone: \(what)\n--- console ---\n\(console)"
    case .badReply(let what):
      "the nvmet guest's answer makes no sense: \(what)"
    case .system(let what, let errorNumber):
      "\(what) failed: \(SystemCall.message(errorNumber))"
    }
  }
}
