import Foundation

/// Whether the tests that need the nvmet guest can run here.
///
/// Where QEMU is missing they are left out with one loud line. In CI (CI=true) they run nevertheless, and fail: a
/// machine that lost QEMU must not look like a passing one.
public enum NvmetAvailability {
  public static let isRequiredOrPresent: Bool = {
    let environment = ProcessInfo.processInfo.environment
    if environment["CI"] == "true" { return true }
    let path = environment["PATH"] ?? "/usr/bin:/bin"
    let isPresent = path.split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/qemu-system-x86_64")
    }
    if !isPresent {
      let message =
        "NOT TESTED: Linux nvmet. 'qemu-system-x86_64' is missing; install Debian's package: "
        + "apt-get install qemu-system-x86\n"
      FileHandle.standardError.write(Data(message.utf8))
    }
    return isPresent
  }()
}
