import Foundation
import Glibc
import Synchronization

/// A small QEMU guest whose Linux kernel is a real NVMe/TCP target (nvmet), reachable on loopback ports.
///
/// In the default configuration the subsystem ``openSubsystem`` admits every host and has namespace 1 (null_blk,
/// 512-byte blocks, 64 MiB, ANA group 1), 2 (null_blk, 4096-byte blocks, 64 MiB, ANA group 2) and 3 (brd, 512-byte
/// blocks, 64 MiB, ANA group 3) and 4 (a disk of 64 MiB that outlives a ``restart()``, 512-byte blocks, ANA group 1);
/// ``closedSubsystem`` admits no host and has namespace 1 (brd). Both are on guest ports
/// 4420 and 4421 (there ANA group 2 is non-optimized); the first is on 8009 as well.
///
/// The guest needs no privileges, no network but loopback and leaves nothing behind: it dies with this process, and
/// ends itself 30 s after its control channel has lost the host. All methods may be called from any task or thread;
/// commands to one guest run one after the other, on a thread of their own.
public final class NvmetGuest: Sendable {
  /// Admits every host.
  public static let openSubsystem = "nqn.2026-01.io.nvmeof.guest:open"
  /// Admits only hosts that were allowed with ``allowHost(_:subsystem:)``.
  public static let closedSubsystem = "nqn.2026-01.io.nvmeof.guest:closed"

  /// The kernel's version.
  public let kernelVersion: String

  private struct Control: ~Copyable {
    var lines: LineConnection
    var sequence: UInt64 = 0
  }

  private let process: ChildProcess
  private let hostPorts: [UInt16: UInt16]
  private let console: FileDescriptor
  private let log: FileDescriptor
  private let disk: FileDescriptor
  private let options: NvmetGuestOptions
  private let control: Mutex<Control>
  private let monitor: Mutex<QMPConnection>
  private let queue = DispatchQueue(label: "nvmet guest")

  /// Builds the guest unless that is done, starts it, and returns once its first port answers an ICReq.
  /// - Throws: ``NvmetGuestError``.
  public static func start(_ options: NvmetGuestOptions = NvmetGuestOptions()) async throws -> NvmetGuest {
    try await blocking(on: DispatchQueue(label: "nvmet guest start")) {
      try NvmetGuest(options)
    }
  }

  private init(_ options: NvmetGuestOptions) throws(NvmetGuestError) {
    guard Self.isInPath("qemu-system-x86_64") else {
      throw .missingTool("qemu-system-x86_64", package: "qemu-system-x86")
    }
    guard Self.isInPath("setpriv") else { throw .missingTool("setpriv", package: "util-linux") }
    let directory = try Self.build()
    kernelVersion =
      (try? String(contentsOfFile: directory + "/version", encoding: .utf8))?
      .trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"

    let deadline = ContinuousClock.now + options.startDeadline
    let monitorPair = try SocketPair()
    let controlPair = try SocketPair()
    console = try FileDescriptor.unnamedFile()
    log = try FileDescriptor.unnamedFile()
    disk = try FileDescriptor.unnamedFile()
    let descriptor = disk.rawValue
    _ = try SystemCall.check("ftruncate") { ftruncate(descriptor, 64 << 20) }
    self.options = options
    process = try ChildProcess(
      Self.commandLine(directory: directory, options: options),
      descriptors: [monitorPair.there.rawValue, controlPair.there.rawValue, console.rawValue, disk.rawValue],
      log: log.rawValue)

    control = Mutex(Control(lines: LineConnection(controlPair.takeHere())))
    do throws(NvmetGuestError) {
      var qmp = try QMPConnection(monitorPair.takeHere(), deadline: deadline)
      hostPorts = try Self.forwardedPorts(
        try qmp.execute(
          "human-monitor-command", arguments: ["command-line": "info usernet"], deadline: deadline))
      monitor = Mutex(qmp)
    } catch {
      process.kill()
      throw .startFailed("\(error)", console: console.tail() + log.tail())
    }
    do throws(NvmetGuestError) {
      try waitUntilReady(deadline: deadline)
    } catch {
      process.kill()
      throw error
    }
  }

  deinit {
    process.kill()
  }

  /// The loopback port that leads to a port of the guest.
  /// - Precondition: `guestPort` was among the options' ``NvmetGuestOptions/guestPorts``.
  public func port(_ guestPort: UInt16 = 4420) -> UInt16 {
    guard let port = hostPorts[guestPort] else { preconditionFailure("guest port \(guestPort) is not forwarded") }
    return port
  }

  /// The end of what the guest's kernel and QEMU printed.
  public var consoleTail: String { console.tail() + log.tail() }

  /// Ends the guest at once. May be called several times.
  public func stop() {
    process.kill()
  }

  /// Runs a shell script inside the guest, as root, with the functions of `guest-root/sbin/nvmet-functions` at hand.
  /// - Parameter deadline: the script is ended when it takes longer.
  /// - Returns: what it printed, errors included.
  /// - Throws: ``NvmetGuestError``; a status other than zero is ``NvmetGuestError/scriptFailed(status:output:script:)``.
  @discardableResult
  public func run(_ script: String, deadline: Duration = .seconds(60)) async throws -> String {
    try await Self.blocking(on: queue) { [self] in try runBlocking(script, deadline: deadline) }
  }

  /// Freezes the guest: it answers nothing, and nothing is reset.
  public func pause() async throws {
    try await command("stop")
  }

  /// Lets a frozen guest go on.
  public func resume() async throws {
    try await command("cont")
  }

  /// Pulls the guest's plug and starts it again, in its first configuration; returns once its first port answers an
  /// ICReq. Only the disk of namespace 4 keeps what it holds.
  public func restart() async throws {
    let deadline = ContinuousClock.now + options.startDeadline
    // A kernel that panics must not start over and over: only this once.
    try await command("set-action", arguments: ["reboot": "reset"])
    try await command("system_reset")
    try await Self.blocking(on: queue) { [self] in try waitUntilReady(deadline: deadline) }
    try await command("set-action", arguments: ["reboot": "shutdown"])
  }

  private func command(_ name: String, arguments: [String: String] = [:]) async throws {
    try await Self.blocking(on: queue) { [self] in
      _ = try monitor.withLock { qmp throws(NvmetGuestError) in
        try qmp.execute(name, arguments: arguments, deadline: .now + .seconds(30))
      }
    }
  }

  private func runBlocking(_ script: String, deadline: Duration) throws(NvmetGuestError) -> String {
    // The guest ends the script first; the host then waits a little for the answer that says so.
    let seconds = max(1, deadline.components.seconds)
    let end = ContinuousClock.now + .seconds(seconds + 20)
    let line: String
    do throws(NvmetGuestError) {
      line = try control.withLock { control throws(NvmetGuestError) in
        control.sequence += 1
        let request = "\(control.sequence) \(seconds) \(Data(script.utf8).base64EncodedString())"
        guard try control.lines.send(request, until: end) else {
          throw .timedOut("it takes no command", console: consoleTail)
        }
        while let reply = try control.lines.receiveLine(until: end) {
          // Answers to scripts that nobody waits for any more may come first.
          if reply.hasPrefix("\(control.sequence) ") { return reply }
        }
        throw .timedOut(script, console: consoleTail)
      }
    } catch .system(let what, _) where !process.isRunning {
      throw .stopped(what, console: consoleTail)
    }
    let fields = line.split(separator: " ", omittingEmptySubsequences: false)
    guard fields.count == 3, let status = Int32(fields[1]), let data = Data(base64Encoded: String(fields[2])) else {
      throw .badReply(line)
    }
    let output = String(decoding: data, as: UTF8.self)
    guard status == 0 else { throw .scriptFailed(status: status, output: output, script: script) }
    return output
  }

  private func waitUntilReady(deadline: ContinuousClock.Instant) throws(NvmetGuestError) {
    // QEMU accepts connections before the guest listens: only an answer counts.
    while options.hasDefaultConfiguration {
      if try InitializeProbe.isAnswered(port: port(options.guestPorts[0]), within: .seconds(1)) { break }
      guard process.isRunning else { throw .startFailed("it ended", console: consoleTail) }
      guard ContinuousClock.now < deadline else {
        throw .startFailed("no ICResp within \(options.startDeadline)", console: consoleTail)
      }
      usleep(50_000)
    }
    _ = try runBlocking("true", deadline: max(deadline - .now, .seconds(1)))
  }

  // MARK: What the guest is started from

  private static func commandLine(directory: String, options: NvmetGuestOptions) -> [String] {
    let forwards = options.guestPorts.map { ",hostfwd=tcp:127.0.0.1:0-:\($0)" }.joined()
    let root = options.rootDisk.map { " nvmet.root=\($0)" } ?? ""
    let setup = (options.hasDefaultConfiguration ? "" : " nvmet.setup=none") + root
    return [
      "setpriv", "--pdeathsig", "KILL", "--",
      "qemu-system-x86_64", "-accel", accelerator, "-M", "q35", "-cpu", "max", "-smp", "1",
      "-m", "\(options.memoryMebibytes)", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
      "-kernel", directory + "/vmlinux", "-initrd", directory + "/initrd.cpio",
      "-append", "console=ttyS0 panic=-1 quiet mitigations=off nokaslr cryptomgr.notests" + setup,
      "-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
      "-chardev", "socket,id=control,fd=4", "-device", "virtio-serial-pci",
      "-device", "virtserialport,chardev=control,name=control",
      "-serial", "file:/proc/self/fd/5",
      // Nothing but this process outlives QEMU, so that its page cache is safe enough.
      "-drive", "if=none,id=disk,format=raw,cache=unsafe,file=/proc/self/fd/6", "-device", "virtio-blk-pci,drive=disk",
      "-netdev", "user,id=n0,restrict=on" + forwards, "-device", "virtio-net-pci,netdev=n0,romfile=",
      "-device", "virtio-rng-pci",
    ] + options.disks.enumerated().flatMap { $1.arguments($0) }
  }

  /// KVM inside a virtual machine often opens and then does not run Debian's kernel, so only bare metal gets it.
  /// NVMET_GUEST_ACCELERATOR overrides.
  private static var accelerator: String {
    let emulation = "tcg,thread=single,tb-size=256"
    if let chosen = ProcessInfo.processInfo.environment["NVMET_GUEST_ACCELERATOR"], !chosen.isEmpty { return chosen }
    guard access("/dev/kvm", R_OK | W_OK) == 0,
      let processor = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let flags = processor.split(separator: "\n").first(where: { $0.hasPrefix("flags") }),
      !flags.split(separator: " ").contains("hypervisor")
    else { return emulation }
    return "kvm"
  }

  private static func isInPath(_ tool: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").contains {
      access("\($0)/\(tool)", X_OK) == 0
    }
  }

  private static func build() throws(NvmetGuestError) -> String {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("build-guest")
    let process = Process()
    let output = Pipe()
    process.executableURL = script
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    do {
      try process.run()
    } catch {
      throw .startFailed("\(script.path) cannot be run: \(error)", console: "")
    }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw .buildFailed(status: process.terminationStatus)
    }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Reads QEMU's table of forwards: `TCP[HOST_FORWARD]  10  127.0.0.1 39383  10.0.2.15  4420  0  0`.
  private static func forwardedPorts(_ table: String) throws(NvmetGuestError) -> [UInt16: UInt16] {
    var ports: [UInt16: UInt16] = [:]
    for line in table.split(whereSeparator: \.isNewline) where line.contains("TCP[HOST_FORWARD]") {
      let fields = line.split(separator: " ")
      guard fields.count >= 6, let host = UInt16(fields[3]), let guest = UInt16(fields[5]) else {
        throw .badReply("QEMU's table of forwarded ports: \(line)")
      }
      ports[guest] = host
    }
    return ports
  }

  static func blocking<Result: Sendable>(
    on queue: DispatchQueue, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Swift.Result { try body() }) }
    }
  }
}
