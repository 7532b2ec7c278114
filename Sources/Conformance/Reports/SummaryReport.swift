/// Results for people.
public enum SummaryReport {
  /// One line a case: mark, identifier, title, and what went wrong.
  public static func line(_ result: ConformanceResult) -> String {
    var text =
      switch result.outcome {
      case .passed: "ok    \(result.identifier): \(result.title) (\(seconds(result)) s)"
      // Loud: a case that did not run says nothing about the target, and must not be read as a pass.
      case .skipped(let reason): "NOT RUN on this target: \(result.identifier): \(result.title): \(reason)"
      case .failed(let message): "FAIL  \(result.identifier): \(result.title) (\(seconds(result)) s)\n      \(message)"
      }
    for deviation in result.deviations { text += "\n      deviation: \(deviation)" }
    return text
  }

  /// The closing line, and the failed cases once more above it.
  public static func summary(_ results: [ConformanceResult]) -> String {
    var text = ""
    let failed = results.filter(\.isFailure)
    if !failed.isEmpty, results.count > 10 {
      text += "\nfailed:\n"
      for result in failed { text += "  \(result.identifier)\n" }
    }
    let passed = results.count { $0.outcome == .passed }
    let deviating = results.count { !$0.deviations.isEmpty }
    let deviations = deviating == 0 ? "" : "; \(deviating) with deviations that hosts can live with"
    return text + "\n\(passed) passed, \(failed.count) failed, \(results.count - passed - failed.count) skipped"
      + deviations
  }

  private static func seconds(_ result: ConformanceResult) -> String {
    let hundredths = Int(result.seconds * 100)
    return "\(hundredths / 100)." + (hundredths % 100 < 10 ? "0" : "") + "\(hundredths % 100)"
  }
}
