internal import Synchronization

/// Runs cases one after the other.
public struct ConformanceRunner: Sendable {
  public let cases: [ConformanceCase]
  public let target: ConformanceTarget
  public let control: (any TargetControl)?
  /// Whether cases that overwrite the namespaces under test may run.
  public let allowsDestructive: Bool
  /// Whether a deviation that hosts can live with fails its case.
  public let isStrict: Bool
  /// Asked before each case: whether somebody wants no more of them to run.
  public var isInterrupted: @Sendable () -> Bool = { false }

  public init(
    cases: [ConformanceCase], target: ConformanceTarget, control: (any TargetControl)? = nil, allowsDestructive: Bool,
    isStrict: Bool = false
  ) {
    self.isStrict = isStrict
    self.cases = cases
    self.target = target
    self.control = control
    self.allowsDestructive = allowsDestructive
  }

  /// Why the case cannot run here; nil when it can.
  public func reasonToSkip(_ conformanceCase: ConformanceCase) -> String? {
    if isInterrupted() { return "the run was interrupted" }
    if conformanceCase.needs.contains(.destructive) {
      if !allowsDestructive { return "overwrites the namespaces under test, which was not allowed (--destructive)" }
      if target.namespaceIdentifiers.isEmpty { return "overwrites namespaces, and none was named (--nsid)" }
    }
    if conformanceCase.needs.contains(.control), control == nil { return "needs a way to change the target" }
    if conformanceCase.needs.contains(.secondPort), target.secondPort == nil {
      return "needs a second port of the subsystem (--second-port)"
    }
    return nil
  }

  /// Runs all cases in order. Never throws: whatever goes wrong is a case's failure.
  /// - Parameters:
  ///   - willStart: told of each case before it runs, for a progress line.
  ///   - didEnd: told each result as soon as it is there.
  public func run(
    willStart: (ConformanceCase) -> Void = { _ in }, didEnd: (ConformanceResult) -> Void = { _ in }
  ) async -> [ConformanceResult] {
    var results: [ConformanceResult] = []
    for conformanceCase in cases {
      willStart(conformanceCase)
      let result = await run(conformanceCase)
      results.append(result)
      didEnd(result)
    }
    return results
  }

  /// Runs one case.
  public func run(_ conformanceCase: ConformanceCase) async -> ConformanceResult {
    let notes = ConformanceNotes()
    let start = ContinuousClock.now
    var outcome: ConformanceOutcome
    if let reason = reasonToSkip(conformanceCase) {
      outcome = .skipped(reason)
    } else {
      let context = ConformanceContext(target: target, control: control, notes: notes)
      outcome = await Self.raced(conformanceCase, context)
    }
    let deviations = notes.deviations
    if isStrict, outcome == .passed, !deviations.isEmpty {
      outcome = .failed(deviations.joined(separator: "; ") + Self.place(of: conformanceCase))
    }
    return ConformanceResult(
      identifier: conformanceCase.identifier, title: conformanceCase.title, outcome: outcome,
      duration: .now - start, notes: notes.all, deviations: deviations)
  }

  /// What a failure says of the specifications.
  private static func place(of conformanceCase: ConformanceCase) -> String {
    conformanceCase.specification.map { " (\($0))" } ?? ""
  }

  /// The case against its deadline. A case that does not heed its cancellation is left to itself: a target that hangs
  /// must not hang the suite.
  private static func raced(
    _ conformanceCase: ConformanceCase, _ context: ConformanceContext
  ) async -> ConformanceOutcome {
    let race = Race()
    return await withCheckedContinuation { continuation in
      race.begin(continuation)
      let work = Task {
        let outcome: ConformanceOutcome
        do {
          try await conformanceCase.body(context)
          outcome = .passed
        } catch let skip as ConformanceSkip {
          outcome = .skipped(skip.description)
        } catch RawError.malformed(let problem) {
          // Whatever the case is about: it has come upon a PDU that must not be.
          outcome = .failed("\(RawError.malformed(problem)) (NVMe/TCP Transport 1.1, sections 3.3 and 3.6.2)")
        } catch {
          outcome = .failed("\(error)" + place(of: conformanceCase))
        }
        race.end(outcome)
      }
      let timer = Task {
        try await Task.sleep(for: conformanceCase.deadline)
        work.cancel()
        race.end(.failed("it did not end within \(conformanceCase.deadline)" + place(of: conformanceCase)))
      }
      race.onEnd { timer.cancel() }
    }
  }

  /// Resumes a continuation once, with whatever comes first.
  private final class Race: Sendable {
    private struct State {
      var continuation: CheckedContinuation<ConformanceOutcome, Never>?
      var isOver = false
      var onEnd: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    func begin(_ continuation: CheckedContinuation<ConformanceOutcome, Never>) {
      state.withLock { $0.continuation = continuation }
    }

    func onEnd(_ body: @escaping @Sendable () -> Void) {
      let isOver = state.withLock { state in
        if !state.isOver { state.onEnd = body }
        return state.isOver
      }
      if isOver { body() }
    }

    func end(_ outcome: ConformanceOutcome) {
      let (continuation, onEnd) = state.withLock { state in
        defer {
          state.isOver = true
          state.continuation = nil
          state.onEnd = nil
        }
        return (state.continuation, state.onEnd)
      }
      onEnd?()
      continuation?.resume(returning: outcome)
    }
  }
}
