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
  _ status: StatusField, _ expected: StatusField..., of what: @autoclosure () -> String
) throws(ConformanceFailure) {
  for candidate in expected where status.matches(candidate) { return }
  let list = expected.map { "\($0)" }.joined(separator: " or ")
  throw ConformanceFailure("\(what()) ended with \(status), not with \(list)")
}

/// Fails the case unless the status is an error; another error than the one expected is a deviation.
func expectError(
  _ status: StatusField, _ expected: StatusField, of what: @autoclosure () -> String, _ notes: ConformanceNotes
) throws(ConformanceFailure) {
  if status.matches(expected) { return }
  try expectNotSuccess(status, of: what())
  notes.deviation("\(what()) ends with \(status), not with \(expected)")
}

/// Fails the case if the status is success.
func expectNotSuccess(_ status: StatusField, of what: @autoclosure () -> String) throws(ConformanceFailure) {
  if status.isSuccess { throw ConformanceFailure("\(what()) succeeded") }
}
