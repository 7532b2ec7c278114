import Glibc
import Synchronization

/// Runs copies with what a terminal needs: a progress line, and an orderly end on Ctrl-C.
final class CopyRunner: Sendable {
  private struct State {
    var engine: CopyEngine?
    var isInterrupted = false
  }

  private let state = Mutex(State())
  private let showsProgress: Bool

  /// Once a process: it takes SIGINT and SIGTERM.
  init(showsProgress: Bool) {
    self.showsProgress = showsProgress
    Interrupts.observe { [self] _ in interrupted() }
  }

  private func interrupted() {
    let (engine, isSecond) = state.withLock { state in
      defer { state.isInterrupted = true }
      return (state.engine, state.isInterrupted)
    }
    engine?.interrupt()
    guard isSecond else {
      Task {
        // Mostly it has ended by then.
        try? await Task.sleep(for: .seconds(1))
        Console.note("\nnvmeof: waiting for what is under way; a second signal ends it at once")
      }
      return
    }
    // Whoever asks twice does not want to wait for what is under way.
    if let engine, let line = CopyReport.resumeLine(engine.resumeOffset, engine.destination) {
      Console.note("\nnvmeof: \(line)")
    }
    _exit(ExitStatus.interrupted.rawValue)
  }

  func run(_ engine: CopyEngine) async -> CopyOutcome {
    let isInterrupted = state.withLock { state in
      state.engine = engine
      return state.isInterrupted
    }
    if isInterrupted { engine.interrupt() }
    guard showsProgress else { return await engine.run() }
    let progress = Task {
      var meter = ProgressMeter(verb: engine.options.mode == .verify ? "verified" : "copied")
      let clock = ContinuousClock()
      let start = clock.now
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(500))
        if Task.isCancelled { break }
        let line = meter.line(
          seconds: (clock.now - start) / .seconds(1), done: engine.doneByteCount, total: engine.totalByteCount)
        // Back to the line's beginning, and clear what is left of the former one.
        Console.show("\r" + line + "\u{1B}[K")
      }
      Console.show("\r\u{1B}[K")
    }
    let outcome = await engine.run()
    progress.cancel()
    await progress.value
    return outcome
  }
}
