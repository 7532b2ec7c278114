import BlockDevice
import Glibc

/// Attaches and detaches controllers a thousand times beside a load, and holds what the process has afterwards against
/// what it had before: not a descriptor, thread or source more, and no memory. Arguments: how many cycles; which of the ways
/// of ``AttachCycles``, to look for what has gone wrong.
///
/// An executable, because nothing else may allocate while it measures.
@main struct AttachGate {
  /// Tables of the run-time library move by so much; 16 bytes kept a cycle are more.
  static let toleratedBytes = 12 << 10
  static let warmUpCycles = 108
  private static let tunables = "GLIBC_TUNABLES"

  static func main() async throws {
    if getenv(tunables) == nil {
      // What the allocator's caches hold would count as given out.
      setenv(tunables, "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1)
      execv("/proc/self/exe", CommandLine.unsafeArgv)
      throw GateError("it cannot be started anew: errno \(errno)")
    }
    let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
    let cycles = arguments.first ?? 1000
    let scene = try await AttachCycles(way: arguments.dropFirst().first)
    // The system's own pool of threads keeps memory of each task it resumes, up to 64 KiB a thread: tasks run elsewhere.
    let tasks = try ReactorThread(name: "tasks")
    let (before, after) = try await withTaskExecutorPreference(tasks.handle) {
      try await scene.run(0..<warmUpCycles)
      let before = try await settled(scene)
      try await scene.run(warmUpCycles..<warmUpCycles + cycles)
      return (before, try await settled(scene))
    }
    tasks.stop()
    print("before \(cycles) cycles: \(before)")
    print("after:               \(after)")
    await scene.end()
    let isClean =
      after.descriptors <= before.descriptors && after.threads <= before.threads && after.sources <= before.sources
      && after.bytes <= before.bytes + toleratedBytes
    print(isClean ? "nothing was left behind" : "SOMETHING WAS LEFT BEHIND")
    if !isClean { exit(1) }
  }

  /// Sockets close and sources leave in the turns after the last call: the least of several looks counts.
  private static func settled(_ scene: AttachCycles) async throws -> ProcessUse {
    // The first sleep of all costs the run-time library a timer.
    try await Task.sleep(for: .milliseconds(50))
    var least = try await ProcessUse.now(scene.reactors)
    for _ in 0..<20 {
      try await Task.sleep(for: .milliseconds(50))
      let use = try await ProcessUse.now(scene.reactors)
      least.descriptors = min(least.descriptors, use.descriptors)
      least.threads = min(least.threads, use.threads)
      least.sources = min(least.sources, use.sources)
      least.bytes = min(least.bytes, use.bytes)
    }
    return least
  }
}
