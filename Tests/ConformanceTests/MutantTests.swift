import Conformance
import EmbeddedTarget
import Foundation
import Testing

/// Each case of the suite held against targets that are broken on purpose: the embedded target, behind something that
/// changes what passes. A case that lets every target pass would be worth nothing.
@Suite("Conformance of targets that are broken on purpose")
struct MutantTests {
  /// A case against a mutant.
  struct Trial: Sendable, CustomTestStringConvertible {
    let mutant: Mutant
    let conformanceCase: ConformanceCase
    /// What the case must say, or a part of it; nil: it must pass.
    let failure: String?

    var testDescription: String {
      "\(conformanceCase) \(failure == nil ? "passes" : "finds") a target that \(mutant.name)"
    }
  }

  /// Groups whose cases are quick: all of them meet the mutants that some of them find, and the others must pass.
  private static let quickGroups: Set<Substring> = ["initialize", "connect", "admin", "io", "operations"]

  private static func group(_ identifier: String) -> Substring { identifier.prefix { $0 != "." } }

  private static let chosen = ProcessInfo.processInfo.environment["CONFORMANCE_ONLY"]

  private static let trials = Mutant.all.flatMap { mutant in
    let groups = quickGroups.intersection(mutant.fails.keys.map(group))
    return ConformanceSuite.cases.filter {
      mutant.fails[$0.identifier] != nil || groups.contains(group($0.identifier))
    }.map { Trial(mutant: mutant, conformanceCase: $0, failure: mutant.fails[$0.identifier]) }
  }.filter { trial in
    guard let pattern = chosen else { return true }
    return ConformanceSuite.cases(matching: pattern).contains { $0.identifier == trial.conformanceCase.identifier }
  }

  /// How many trials run at once: more than there are processors, as many of them wait for what never comes.
  private static let places = Places(12)

  @Test("mutant", arguments: trials)
  func mutant(_ trial: Trial) async throws {
    var outcome = try await Self.outcome(trial)
    // Some defects show only if a request meets them at the right moment: of three tries one must find them. What must pass
    // has one.
    for attempt in 2...3 {
      guard let failure = trial.failure, !Self.isFound(failure, outcome) else { break }
      print("NOT FOUND AT ONCE: \(trial.testDescription), attempt \(attempt) of 3; it came to \(outcome)")
      outcome = try await Self.outcome(trial)
    }
    switch (trial.failure, outcome) {
    case (nil, .passed), (nil, .skipped): break
    case (let failure?, .failed(let message)) where message.contains(failure):
      // For people at work on a case: what does it say?
      if Self.chosen != nil { print("\(trial.testDescription): \(message)") }
    case (let failure?, let outcome): Issue.record("it must fail with “\(failure)”: \(outcome)")
    case (nil, .failed(let message)): Issue.record("it must pass: \(message)")
    }
  }

  private static func isFound(_ failure: String, _ outcome: ConformanceOutcome) -> Bool {
    if case .failed(let message) = outcome { message.contains(failure) } else { false }
  }

  private static func outcome(_ trial: Trial) async throws -> ConformanceOutcome {
    await places.take()
    let result = await Result { try await Self.result(trial.conformanceCase, trial.mutant) }
    await places.giveBack()
    return try result.get().outcome
  }

  /// Runs a case against a mutant of the embedded target.
  static func result(
    _ conformanceCase: ConformanceCase, _ mutant: Mutant, configuration: TargetConfiguration = TargetConfiguration(),
    namespaces: [UInt32: NamespaceConfiguration] = EmbeddedControl.namespaces
  ) async throws -> ConformanceResult {
    let (control, target) = try await EmbeddedControl.start(configuration: configuration, namespaces: namespaces)
    let planted = PlantedDefect(mutant)
    let interceptors = try [target.port, target.secondPort ?? 0].enumerated().map { place, port in
      try Interceptor(port: port, place: place, planted: planted)
    }
    var broken = target
    broken.port = interceptors[0].port
    broken.secondPort = interceptors[1].port
    let runner = ConformanceRunner(
      cases: [], target: broken, control: control, allowsDestructive: true, isStrict: mutant.isStrict)
    let result = await runner.run(conformanceCase)
    for interceptor in interceptors { interceptor.stop() }
    await control.stop()
    return result
  }

  @Test("each case of the suite has a mutant that it must find")
  func complete() {
    let found = Set(Mutant.all.flatMap(\.fails.keys))
    let suite = Set(ConformanceSuite.cases.map(\.identifier))
    #expect(suite.subtracting(found).isEmpty, "without a mutant")
    #expect(found.subtracting(suite).isEmpty, "no case of the suite")
  }

  /// A target that passes through an interceptor without a defect is sound, else mutants would be found for nothing.
  @Test("a target without a defect passes", arguments: ["connect.admin", "initialize.digests", "data.vectors"])
  func sound(identifier: String) async throws {
    for conformanceCase in ConformanceSuite.cases(matching: identifier) {
      let sound = Mutant("is sound", fails: [:], isStrict: true) { _ in }
      #expect(try await Self.result(conformanceCase, sound).outcome == .passed)
    }
  }
}

extension Result where Failure == any Error {
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
