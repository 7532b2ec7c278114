import NVMeProtocol

/// Fails the case unless `condition` holds.
func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws(ConformanceFailure) {
  if !condition { throw ConformanceFailure(message()) }
}

/// Fails the case unless the two are equal.
func expectEqual<Value: Equatable>(
  _ actual: Value, _ expected: Value, _ what: @autoclosure () -> String
) throws(ConformanceFailure) {
  if actual != expected { throw ConformanceFailure("\(what()) is \(actual), not \(expected)") }
}

/// Fails the case unless the status has one of the types and codes; DNR, More and CRD do not count.
func expectStatus(
  _ completion: RawCompletion, _ expected: StatusField..., of what: @autoclosure () -> String
) throws(ConformanceFailure) {
  try expectStatus(completion, expected, of: what())
}

/// As the other, with a list.
func expectStatus(
  _ completion: RawCompletion, _ expected: [StatusField], of what: @autoclosure () -> String
) throws(ConformanceFailure) {
  for candidate in expected where completion.status.matches(candidate) { return }
  let list = expected.map { $0.description(for: completion.kind) }.joined(separator: " or ")
  throw ConformanceFailure("\(what()) ended with \(completion.statusText), not with \(list)")
}

/// Fails the case unless the status is an error; another error than the one expected is a deviation.
func expectError(
  _ completion: RawCompletion, _ expected: StatusField, of what: @autoclosure () -> String, _ notes: ConformanceNotes
) throws(ConformanceFailure) {
  if completion.status.matches(expected) { return }
  try expectNotSuccess(completion, of: what())
  notes.deviation(
    "\(what()) ends with \(completion.statusText), not with \(expected.description(for: completion.kind))")
}

/// Fails the case if the status is success.
func expectNotSuccess(_ completion: RawCompletion, of what: @autoclosure () -> String) throws(ConformanceFailure) {
  if completion.status.isSuccess { throw ConformanceFailure("\(what()) succeeded") }
}
