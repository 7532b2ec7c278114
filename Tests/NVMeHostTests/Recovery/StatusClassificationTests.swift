import NVMeHost
import NVMeProtocol
import Testing

@Suite struct StatusClassificationTests {
  @Test(arguments: [
    (StatusField.asymmetricAccessInaccessible, RetryDisposition.retryOnAnotherPath),
    (.asymmetricAccessTransition, .retryOnAnotherPath),
    (.asymmetricAccessPersistentLoss, .retryOnAnotherPath),
    (.internalPathError, .retryOnAnotherPath),
    (.controllerPathingError, .retryOnAnotherPath),
    (.hostPathingError, .retryOnAnotherPath),
    (.commandAbortedByHost, .retryOnAnotherPath),
    (.commandAbortedSQDeletion, .retryOnAnotherPath),
    (.keepAliveTimerExpired, .retryOnAnotherPath),
    (.commandInterrupted, .retryHere),
    (.transientTransportError, .retryHere),
    (.namespaceNotReady, .retryHere),
    (.commandAbortRequested, .retryHere),
    (.internalError, .retryHere),
    (.writeFault, .retryHere),
    (.unrecoveredReadError, .retryHere),
    (StatusField(.vendorSpecific, 0x12), .retryHere),
    (StatusField(.generic, 0xC5), .retryHere),
    (.invalidFieldInCommand, .fail),
    (.invalidNamespaceOrFormat, .fail),
    (.lbaOutOfRange, .fail),
    (.namespaceIsWriteProtected, .fail),
    (.reservationConflict, .fail),
    (.compareFailure, .fail),
    (.accessDenied, .fail),
    (StatusField(StatusCodeType(rawValue: 5), 0x01), .fail),
  ])
  func aStatusHasOneMeaning(_ status: StatusField, _ disposition: RetryDisposition) {
    #expect(StatusClassification.disposition(of: status) == disposition)
    // CRD and More do not change it; Do Not Retry does.
    #expect(
      StatusClassification.disposition(of: StatusField(rawValue: status.rawValue | 0x3800)) == disposition)
    var final = status
    final.doNotRetry = true
    #expect(StatusClassification.disposition(of: final) == .fail)
  }

  /// Every code of every defined type is found in the table, and no row is hidden by the rows before it.
  @Test func theTableIsWhole() {
    var hits = [Int](repeating: 0, count: StatusClassification.table.count)
    for type in [StatusCodeType.generic, .commandSpecific, .mediaAndDataIntegrity, .pathRelated, .vendorSpecific] {
      for code in 0...UInt8.max {
        let index = StatusClassification.table.firstIndex { $0.type == type && $0.codes.contains(code) }
        if let index { hits[index] += 1 } else { Issue.record("\(type.name) \(code) is in no row") }
      }
    }
    for (row, count) in zip(StatusClassification.table, hits) { #expect(count > 0, "\(row) is never reached") }
  }

  @Test func commandRetryDelayCountsFromOne() {
    let times: [UInt16] = [1, 25, 600]
    func delay(_ code: UInt8) -> Int {
      StatusClassification.retryDelayMilliseconds(
        of: StatusField(.generic, 0x21, commandRetryDelay: code), commandRetryDelayTimes: times)
    }
    #expect((0...3).map(delay) == [0, 100, 2500, 60_000])
    let without = StatusClassification.retryDelayMilliseconds(
      of: StatusField(.generic, 0x21, commandRetryDelay: 2), commandRetryDelayTimes: [])
    #expect(without == 0)
  }
}
