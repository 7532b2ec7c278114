internal import Glibc
internal import JSONRPC
internal import Synchronization

/// Keys by name, each the content of a file that only the daemon's own user can read.
///
/// A key itself is read when it is needed and held nowhere; neither it nor the file's content is ever logged or told.
public final class Keyring: Sendable {
  public struct Key: Sendable, Hashable {
    public var name: String
    public var path: String
  }

  /// More are refused.
  static let maximumCount = 4096
  private static let maximumNameByteCount = 1024

  private let keys = Mutex<[Key]>([])

  public init() {}

  /// In the order they were added.
  public var all: [Key] { keys.withLock { $0 } }

  public func contains(_ name: String) -> Bool { key(named: name) != nil }

  public func key(named name: String) -> Key? { keys.withLock { $0.first { $0.name == name } } }

  /// - Throws: -1 when others could read the file or it is another user's, -2 when there is none, -17 when the name is
  ///   taken, -22 when name or path make no sense, -28 when there are as many as may be.
  func add(_ name: String, path: String) async throws(RPCError) {
    guard !name.isEmpty else { throw .system(EINVAL, detail: "name: is empty") }
    guard name.utf8.count <= Self.maximumNameByteCount else {
      throw .system(EINVAL, detail: "name: has more than \(Self.maximumNameByteCount) bytes")
    }
    guard all.count < Self.maximumCount else {
      throw .system(ENOSPC, detail: "name: there are \(Self.maximumCount) keys already")
    }
    guard path.hasPrefix("/") else { throw .system(EINVAL, detail: "path: must be absolute") }
    guard !contains(name) else { throw .system(EEXIST, detail: "name: there is a key '\(name)' already") }
    // A file system may take its time: not on this thread.
    let problem = await Task.detached { () -> RPCError? in
      do throws(RPCError) {
        try Self.check(path)
        return nil
      } catch { return error }
    }.value
    if let problem { throw problem }
    let isNew = keys.withLock { keys in
      if keys.contains(where: { $0.name == name }) { return false }
      keys.append(Key(name: name, path: path))
      return true
    }
    if !isNew { throw .system(EEXIST, detail: "name: there is a key '\(name)' already") }
  }

  /// The rules a key's file is held to.
  static func check(_ path: String) throws(RPCError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(errno, detail: "path: '\(path)'") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .system(EPERM, detail: "path: is no regular file") }
    guard status.st_mode & 0o077 == 0 else {
      throw .system(EPERM, detail: "path: the file's mode lets others at it, must be 0600 or less")
    }
    guard status.st_uid == geteuid() else { throw .system(EPERM, detail: "path: the file is another user's") }
  }

  /// - Throws: -2 when there is none of that name.
  func remove(_ name: String) throws(RPCError) {
    let isThere = keys.withLock { keys in
      guard let place = keys.firstIndex(where: { $0.name == name }) else { return false }
      keys.remove(at: place)
      return true
    }
    if !isThere { throw .system(ENOENT, detail: "name: there is no key '\(name)'") }
  }
}
