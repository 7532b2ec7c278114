import Conformance
import NVMeProtocol

/// A target with one defect, and the cases of the suite that must find it.
struct Mutant: Sendable {
  /// Changes what passes between hosts and a target that is sound.
  typealias Defect = (inout Passage) -> Void

  /// What the target does wrong: "it …".
  let name: String
  /// The cases that must fail, and what each must say, or a part of it.
  let fails: [String: String]
  /// Whether deviations that hosts can live with fail a case.
  let isStrict: Bool
  let plant: @Sendable () -> Defect

  /// - Parameter plant: makes a defect that remembers what it has seen.
  init(
    _ name: String, fails: [String: String], isStrict: Bool = false, remembering plant: @escaping @Sendable () -> Defect
  ) {
    self.name = name
    self.fails = fails
    self.isStrict = isStrict
    self.plant = plant
  }

  init(
    _ name: String, fails: [String: String], isStrict: Bool = false,
    _ defect: @escaping @Sendable (inout Passage) -> Void
  ) {
    self.init(name, fails: fails, isStrict: isStrict, remembering: { defect })
  }

  /// A target that answers commands without a further look.
  /// - Parameters:
  ///   - condition: whether it is such a command.
  ///   - isDue: which of those are answered, by their number from 1 on.
  init(
    _ name: String, fails: [String: String], isStrict: Bool = false, answers status: StatusField = .success,
    to condition: @escaping @Sendable (Passage) -> Bool,
    numbered isDue: @escaping @Sendable (Int) -> Bool = { _ in true }
  ) {
    self.init(
      name, fails: fails, isStrict: isStrict,
      remembering: {
        var count = 0
        return { passage in
          guard passage.isCommand, condition(passage) else { return }
          count += 1
          if isDue(count) { passage.answer(status) }
        }
      })
  }

  static let all = initialization + connect + admin + io + life + devices + changes + multipath + discovery
}
