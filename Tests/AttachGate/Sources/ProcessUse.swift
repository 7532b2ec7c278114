import BlockDevice
import CMemoryUse
import Glibc

/// What the process holds, at a moment when nothing is under way.
struct ProcessUse: CustomStringConvertible {
  var descriptors: Int
  var threads: Int
  /// Sources of the host's reactors; each timer is a source's.
  var sources: Int
  /// Given out by malloc.
  var bytes: Int

  static func now(_ reactors: [ReactorHandle]) async throws -> ProcessUse {
    var sources = 0
    for reactor in reactors { sources += try await reactor.perform { $0.sourceCount } }
    return ProcessUse(
      descriptors: count("/proc/self/fd"), threads: count("/proc/self/task"), sources: sources,
      bytes: Int(memory_use_allocated_bytes()))
  }

  private static func count(_ path: String) -> Int {
    guard let directory = opendir(path) else { return -1 }
    defer { closedir(directory) }
    var count = 0
    while readdir(directory) != nil { count += 1 }
    return count
  }

  var description: String {
    "\(descriptors) descriptors, \(threads) threads, \(sources) sources, \(bytes) bytes"
  }
}
