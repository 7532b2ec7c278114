import AllocationCounter
import COpenSSL
import EmbeddedTarget
import Glibc
import TestSupport

/// Holds the submit/poll face to its promise: an I/O allocates nothing. See `Tests/AllocationGate/run`.
///
///     AllocationGate [IO-COUNT]
@main struct AllocationGate {
  static func main() async throws {
    allocation_counter_line_buffering()
    // Before OpenSSL allocates anything: later it would refuse.
    precondition(
      CRYPTO_set_mem_functions(
        allocation_counter_library_malloc, allocation_counter_library_realloc, allocation_counter_library_free) == 1,
      "OpenSSL takes no allocator of ours")
    let ioCount = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 100_000
    let target = try await EmbeddedTarget.start()
    try await target.addSubsystem(
      SubsystemConfiguration(nqn: GateRun.nqn, namespace: .memory(byteCount: 1 << 26)))
    let ports = [try await target.addPort().port, try await target.addPort().port]
    let done = DoneFlag()
    // A thread of its own, because the gate counts per thread and Swift's tasks have none.
    let thread = TestThread {
      var run = GateRun(ports: ports, ioCount: ioCount)
      do {
        try run.run()
        done.finish(run.failureCount == 0 ? nil : "\(run.failureCount) cases allocate too much")
      } catch { done.finish("\(error)") }
    }
    thread.join()
    await target.stop()
    if let failure = done.failure {
      print("allocations: FAILED: \(failure)")
      exit(1)
    }
  }
}
