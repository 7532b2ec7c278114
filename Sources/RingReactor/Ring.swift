internal import CLiburing
import Glibc

/// One io_uring, owned by the thread that made it.
///
/// `struct io_uring` needs a stable address, so it lives on the heap; the ring is unmapped when the value goes.
/// Everything here must be called on the thread that made the ring: the kernel enforces it (SINGLE_ISSUER).
struct Ring: ~Copyable {
  let pointer: UnsafeMutablePointer<io_uring>
  /// True where the kernel has SINGLE_ISSUER and DEFER_TASKRUN (Linux 6.1).
  let defersTaskWork: Bool
  /// In a simulation: owns what `pointer` points to, and takes the entries in the kernel's place.
  private let simulation: SimulatedRing?

  init(simulating kernel: any SimulatedKernel) {
    let simulation = SimulatedRing(kernel: kernel)
    self.simulation = simulation
    pointer = simulation.pointer
    defersTaskWork = true
  }

  init(entries: UInt32, completionEntries: UInt32) throws(RingError) {
    let pointer = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    let common = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL
    let deferred = common | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG
    let cooperative = common | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG
    // The best first; EINVAL is how a kernel says that it does not know a flag.
    var result: Int32 = -EINVAL
    var chosen: UInt32 = 0
    var features: UInt32 = 0
    for flags in [deferred, cooperative] where result == -EINVAL {
      pointer.initialize(to: io_uring())
      var parameters = io_uring_params()
      parameters.flags = flags
      parameters.cq_entries = completionEntries
      result = io_uring_queue_init_params(entries, pointer, &parameters)
      chosen = flags
      features = parameters.features
    }
    guard result == 0 else {
      pointer.deallocate()
      if result == -EINVAL {
        throw .missingFeature(name: "cooperative task running (IORING_SETUP_COOP_TASKRUN)", sinceKernel: "5.19")
      }
      throw .unavailable(errno: -result)
    }
    let needed: [(UInt32, String, String)] = [
      (UInt32(IORING_FEAT_NODROP), "completions that are never dropped (IORING_FEAT_NODROP)", "5.5"),
      (UInt32(IORING_FEAT_FAST_POLL), "internal polling (IORING_FEAT_FAST_POLL)", "5.7"),
      (UInt32(IORING_FEAT_EXT_ARG), "waiting with a time-out (IORING_FEAT_EXT_ARG)", "5.11"),
    ]
    for (bit, name, version) in needed where features & bit == 0 {
      io_uring_queue_exit(pointer)
      pointer.deallocate()
      throw .missingFeature(name: name, sinceKernel: version)
    }
    // Saves a descriptor look-up an enter; a kernel without it is merely slower.
    _ = io_uring_register_ring_fd(pointer)
    self.pointer = pointer
    self.defersTaskWork = chosen == deferred
    simulation = nil
  }

  deinit {
    if simulation != nil { return }
    io_uring_queue_exit(pointer)
    pointer.deallocate()
  }

  /// Has `eventDescriptor` signalled whenever there is something to collect. Returns 0 or `-errno`.
  func register(eventDescriptor: Int32) -> Int32 { io_uring_register_eventfd(pointer, eventDescriptor) }

  func unregisterEventDescriptor() { _ = io_uring_unregister_eventfd(pointer) }

  /// A submission entry, or nil while the submission ring is full.
  func nextEntry() -> UnsafeMutablePointer<io_uring_sqe>? { io_uring_get_sqe(pointer) }

  /// Entries prepared and not yet submitted.
  var unsubmittedCount: UInt32 { io_uring_sq_ready(pointer) }

  /// True when completions or deferred work wait to be collected.
  var hasCompletions: Bool {
    io_uring_cq_ready(pointer) != 0 || nvmeof_submission_flags(pointer) & nvmeof_submission_attention != 0
  }

  /// Submits what is prepared and collects what is ready, without waiting.
  func submitAndCollect() -> Int32 {
    simulation == nil ? io_uring_submit_and_get_events(pointer) : enterSimulation()
  }

  // Not inlined: holding the simulation counts references, which a turn without one is not to pay for.
  @inline(never) private func enterSimulation() -> Int32 {
    simulation?.enter()
    return 0
  }

  /// Submits what is prepared and waits for at least one completion, or until the time is over.
  ///
  /// A simulation never waits: time passes between its turns.
  func submitAndWait(timeoutNanoseconds: UInt64?) -> Int32 {
    if simulation != nil { return enterSimulation() }
    var first: UnsafeMutablePointer<io_uring_cqe>?
    guard let timeoutNanoseconds else {
      return io_uring_submit_and_wait(pointer, 1)
    }
    var timeout = __kernel_timespec(
      tv_sec: Int64(timeoutNanoseconds / 1_000_000_000), tv_nsec: Int64(timeoutNanoseconds % 1_000_000_000))
    return io_uring_submit_and_wait_timeout(pointer, &first, 1, &timeout, nil)
  }
}
