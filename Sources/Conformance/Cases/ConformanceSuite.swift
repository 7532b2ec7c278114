/// All there is to test, in the order it runs.
public enum ConformanceSuite {
  public static let cases: [ConformanceCase] =
    InitializeCases.all + ConnectCases.all + CommandCases.all + LifeCases.all + DataCases.all + QueueCases.all
    + OperationCases.all + ChangeCases.all + DiscoveryCases.all + RecoveryCases.all

  /// The cases whose identifier contains `pattern`, or matches it where it has asterisks.
  public static func cases(matching pattern: String) -> [ConformanceCase] {
    cases.filter { matches($0.identifier[...], pattern.contains("*") ? pattern[...] : "*\(pattern)*"[...]) }
  }

  /// Asterisks stand for any characters, also for none.
  private static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
    guard let first = pattern.first else { return text.isEmpty }
    let rest = pattern.dropFirst()
    if first == "*" {
      return text.indices.contains { matches(text[$0...], rest) } || matches(text[text.endIndex...], rest)
    }
    return text.first == first && matches(text.dropFirst(), rest)
  }
}
