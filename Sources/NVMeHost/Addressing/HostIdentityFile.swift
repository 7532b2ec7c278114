internal import Glibc
internal import NVMeProtocol

/// The file that keeps the host's identity: lines `hostnqn=…` and `hostid=…`, "#" begins a comment.
struct HostIdentityFile {
  let path: String?

  /// Larger files are none of ours.
  private static let maximumByteCount = 4096

  init(path: String?) { self.path = path }

  func loadOrCreate() throws(HostIdentityError) -> HostIdentity {
    let path: String
    if let given = self.path { path = given } else { path = try Self.defaultPath() }
    if let existing = try Self.load(path) { return existing }
    try Self.makeDirectories(above: path)
    let made = HostIdentity.random()
    let text = """
      # Identity of this host towards NVMe over Fabrics targets; made once, keep it.
      hostnqn=\(made.hostNQN)
      hostid=\(made.hostIdentifier.uuidString)

      """
    // Written aside and then linked into place: another process sees the whole file or none, and of several that make
    // one at the same time all use that of the first.
    let temporary = path + ".\(getpid()).\(UInt64.random(in: 0...UInt64.max))"
    try Self.write(text, to: temporary)
    defer { unlink(temporary) }
    if link(temporary, path) == 0 { return made }
    let reason = errno
    guard reason == EEXIST else { throw Self.failure(path, "create", reason) }
    guard let theirs = try Self.load(path) else { throw Self.failure(path, "read", ENOENT) }
    return theirs
  }

  /// The identity in nvme-cli's files; nil if there is no `hostnqn`, or it may not be read.
  static func system(directory: String) throws(HostIdentityError) -> HostIdentity? {
    let namePath = directory + "/hostnqn"
    guard let name = try readIfAllowed(namePath)?.trimmingBlanks(), !name.isEmpty else { return nil }
    if let problem = NVMeQualifiedName.problem(with: name) {
      throw .malformedFile(path: namePath, problem: "the NQN is not valid: \(problem)")
    }
    let identifierPath = directory + "/hostid"
    if let text = try readIfAllowed(identifierPath)?.trimmingBlanks(), !text.isEmpty {
      guard let identifier = Identifier128(text), !identifier.isZero else {
        throw .malformedFile(path: identifierPath, problem: "it holds no UUID")
      }
      return HostIdentity(hostNQN: name, hostIdentifier: identifier)
    }
    // Without hostid the NQN's own UUID does, as with nvme-cli.
    return NVMeQualifiedName.uuid(of: name).map { HostIdentity(hostNQN: name, hostIdentifier: $0) }
  }

  static func defaultPath() throws(HostIdentityError) -> String {
    if let configuration = environment("XDG_CONFIG_HOME"), configuration.hasPrefix("/") {
      return configuration + "/nvmeof/host"
    }
    if let home = environment("HOME"), home.hasPrefix("/") { return home + "/.config/nvmeof/host" }
    throw .noHomeDirectory
  }

  static func parse(_ text: String, path: String) throws(HostIdentityError) -> HostIdentity {
    var name: String?
    var identifier: Identifier128?
    // "\r\n" is one Character.
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    for (index, line) in lines.enumerated() {
      let content = line.trimmingBlanks()
      if content.isEmpty || content.hasPrefix("#") { continue }
      let parts = content.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count == 2 ? parts[1].trimmingBlanks() : ""
      switch parts[0].trimmingBlanks() {
      case "hostnqn":
        if let problem = NVMeQualifiedName.problem(with: value) {
          throw .malformedFile(path: path, problem: "line \(index + 1): the NQN is not valid: \(problem)")
        }
        name = value
      case "hostid":
        guard let parsed = Identifier128(value), !parsed.isZero else {
          throw .malformedFile(path: path, problem: "line \(index + 1): hostid is no UUID")
        }
        identifier = parsed
      default:
        throw .malformedFile(path: path, problem: "line \(index + 1) is neither hostnqn=… nor hostid=…")
      }
    }
    guard let name else { throw .malformedFile(path: path, problem: "hostnqn is missing") }
    guard let identifier = identifier ?? NVMeQualifiedName.uuid(of: name) else {
      throw .malformedFile(path: path, problem: "hostid is missing")
    }
    return HostIdentity(hostNQN: name, hostIdentifier: identifier)
  }

  private static func load(_ path: String) throws(HostIdentityError) -> HostIdentity? {
    guard let text = try read(path) else { return nil }
    return try parse(text, path: path)
  }

  private static func readIfAllowed(_ path: String) throws(HostIdentityError) -> String? {
    do throws(HostIdentityError) { return try read(path) } catch {
      if case .file = error { return nil }
      throw error
    }
  }

  /// Nil if there is no such file.
  private static func read(_ path: String) throws(HostIdentityError) -> String? {
    // Not blocking: the path could name a FIFO.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if descriptor < 0 {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw failure(path, "open", errno)
    }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: maximumByteCount + 1)
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled) }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure(path, "read", errno)
      }
      if count == 0 { break }
      filled += count
    }
    guard filled <= maximumByteCount else {
      throw .malformedFile(path: path, problem: "it is larger than \(maximumByteCount) bytes")
    }
    guard let text = String(validating: bytes[..<filled], as: UTF8.self) else {
      throw .malformedFile(path: path, problem: "it is not UTF-8 text")
    }
    return text
  }

  private static func write(_ text: String, to path: String) throws(HostIdentityError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw failure(path, "create", errno) }
    var rest = Array(text.utf8)[...]
    var reason: Int32 = 0
    while !rest.isEmpty && reason == 0 {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 { rest.removeFirst(count) } else if errno != EINTR { reason = errno }
    }
    // On the disk before it is linked: an empty file after a power cut would be malformed for ever.
    if reason == 0 && fsync(descriptor) != 0 { reason = errno }
    close(descriptor)
    if reason != 0 {
      unlink(path)
      throw failure(path, "write", reason)
    }
  }

  private static func makeDirectories(above path: String) throws(HostIdentityError) {
    var directory = ""
    for component in path.split(separator: "/", omittingEmptySubsequences: false).dropLast() {
      directory += component + "/"
      if component.isEmpty || component == "." || component == ".." { continue }
      if mkdir(directory, 0o700) != 0 {
        let reason = errno
        var status = stat()
        // Also where it may not be made but is there already (EROFS, EACCES).
        if stat(directory, &status) != 0 { throw failure(path, "make the directory \(directory) for", reason) }
      }
    }
  }

  private static func failure(_ path: String, _ operation: String, _ reason: Int32) -> HostIdentityError {
    .file(path: path, operation: operation, reason: String(cString: strerror(reason)))
  }

  private static func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }
}
