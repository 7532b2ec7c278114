import Conformance
import Testing

/// Cases of the suite held against targets that are unusual, and as the specifications allow: a case that fails one of
/// them would be wrong itself.
@Suite("Conformance of unusual targets")
struct VariantTests {
  /// A case against a variant.
  struct Trial: Sendable, CustomTestStringConvertible {
    let variant: Variant
    let identifier: String
    let end: Variant.End

    var testDescription: String { "\(identifier) against a target that \(variant.name)" }
  }

  private static let trials = Variant.all.flatMap { variant in
    variant.ends.sorted { $0.key < $1.key }.map { Trial(variant: variant, identifier: $0.key, end: $0.value) }
  }

  @Test("variant", arguments: trials)
  func variant(_ trial: Trial) async throws {
    let conformanceCase = try #require(ConformanceSuite.cases.first { $0.identifier == trial.identifier })
    let outcome = try await MutantTests.result(
      conformanceCase, trial.variant.mutant, configuration: trial.variant.configuration,
      namespaces: trial.variant.namespaces
    ).outcome
    switch (trial.end, outcome) {
    case (.passed, .passed): break
    case (.skipped(let part), .skipped(let reason)) where reason.contains(part): break
    default: Issue.record("it must end with \(trial.end): \(outcome)")
    }
  }
}
