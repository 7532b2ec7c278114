internal import NVMeProtocol

/// Which namespaces there are, and when that is looked at again.
extension ControllerStateMachine {
  /// A scan that failed is made again after a second, then after twice as long each time, up to about a minute.
  private static let rescanNanoseconds: UInt64 = 1_000_000_000
  private static let maximumRescanDoublings = 6

  mutating func beginFirstScan(_ now: UInt64) {
    state = .scanningNamespaces
    scan = NamespaceScan()
    submitScan(now)
  }

  private mutating func submitScan(_ now: UInt64) {
    guard let command = scan?.nextCommand() else { return }
    submit(
      .scan, scan?.stepName ?? "scanning namespaces", command, dataInByteCount: 4096,
      deadlineNanoseconds: adminDeadline(now))
  }

  mutating func scanCompleted(_ status: StatusField, _ data: [UInt8], _ now: UInt64) {
    guard scan != nil else { return }
    do throws(ControllerError) {
      try scan?.handle(status: status, data: data)
    } catch {
      // While it is in use a controller is not given up for a scan that failed: what was known stays.
      if state == .scanningNamespaces {
        fail(error)
      } else {
        scan = nil
        // No event may ever tell again of what this scan has missed.
        rescanDeadlineNanoseconds =
          now &+ Self.rescanNanoseconds << UInt64(min(failedScanCount, Self.maximumRescanDoublings))
        failedScanCount += 1
        startRescanIfIdle(now)
      }
      return
    }
    guard let finished = scan, finished.isDone else {
      submitScan(now)
      return
    }
    let changes = finished.changes(from: namespaces)
    namespaces = finished.found
    isNamespaceListTruncated = finished.isTruncated
    scan = nil
    failedScanCount = 0
    if state == .scanningNamespaces {
      connectIOQueues()
    } else if !changes.isEmpty {
      actions.append(.namespacesChanged(changes))
    }
    startRescanIfIdle(now)
  }

  mutating func startRescanIfIdle(_ now: UInt64) {
    guard needsRescan, scan == nil, state == .ready || state == .connectingIOQueues else { return }
    needsRescan = false
    rescanDeadlineNanoseconds = .max
    scan = NamespaceScan()
    submitScan(now)
  }

  /// One at a time: a controller that sends events without end must not make us queue commands without end.
  mutating func readChangedListIfIdle(_ now: UInt64) {
    guard needsChangedList, !isReadingChangedList else { return }
    needsChangedList = false
    isReadingChangedList = true
    submit(
      .changedNamespaceList, "reading the changed namespace list",
      .getLogPage(.changedNamespaceList, byteCount: 4096), dataInByteCount: 4096,
      deadlineNanoseconds: adminDeadline(now))
  }
}
