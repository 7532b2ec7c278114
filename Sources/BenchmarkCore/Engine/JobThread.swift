internal import Glibc

/// A job with its thread. Its mutable state belongs to the run's monitor.
final class JobThread: @unchecked Sendable {
  enum Stage {
    case waiting
    case starting
    case ready
    case going
    case ended
  }

  let setup: JobSetup
  let device: any BenchmarkDevice
  let groupIdentifier: Int
  /// Index of the job in the plan; clones share it.
  let jobIndex: Int
  private let monitor: RunMonitor

  // Under the monitor.
  var stage = Stage.waiting
  var outcome: JobOutcome?
  var endSeconds = 0
  var threadIdentifier: Int32 = 0

  init(
    setup: JobSetup, device: any BenchmarkDevice, groupIdentifier: Int, jobIndex: Int, monitor: RunMonitor
  ) {
    self.setup = setup
    self.device = device
    self.groupIdentifier = groupIdentifier
    self.jobIndex = jobIndex
    self.monitor = monitor
  }

  /// Starts the thread, which opens its channel and then waits for `stage` to become `going`.
  func start() {
    monitor.update { stage = .starting }
    setup.progress.state = .initializing
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<JobThread>.fromOpaque(argument).takeRetainedValue().main()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard code == 0 else {
      Unmanaged.passUnretained(self).release()
      end(JobOutcome(failure: JobFailure(.setup, "no thread for the job: \(String(cString: strerror(code)))")))
      return
    }
    pthread_detach(thread)
  }

  private func main() {
    monitor.update { threadIdentifier = ThreadIdentity.current() }
    if !setup.options.allowedProcessors.isEmpty, !ThreadIdentity.bind(to: setup.options.allowedProcessors) {
      end(JobOutcome(failure: JobFailure(.setup, "cpus_allowed: the system has none of these processors")))
      return
    }
    let outcome = device.run(setup, gate: self)
    end(outcome)
  }

  private func end(_ outcome: JobOutcome) {
    setup.progress.state = outcome.failure == nil ? .finished : .failed
    // Also of one that has not come to its first I/O.
    if outcome.failure != nil, setup.options.endsAllOnError { setup.stop.stopAll() }
    monitor.update {
      self.outcome = outcome
      stage = .ended
      endSeconds = Glibc.time(nil)
    }
  }
}

extension JobThread: JobGate {
  func announceReady() { monitor.update { stage = .ready } }

  var decision: JobGateDecision {
    if setup.stop.isStopped { return .giveUp }
    return monitor.read { stage } == .going ? .start : .wait
  }
}
