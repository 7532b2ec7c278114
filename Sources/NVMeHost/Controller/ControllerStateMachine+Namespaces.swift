internal import NVMeProtocol

/// Which namespaces there are, and when that is looked at again.
extension ControllerStateMachine {
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
        scanRetry.failed(now)
        startRescanIfIdle(now)
      }
      return
    }
    guard let finished = scan, finished.isDone else {
      submitScan(now)
      return
    }
    let found = compareWithANALog(finished.found)
    let changes = NamespaceChange.changes(from: namespaces, to: found)
    namespaces = found
    isNamespaceListTruncated = finished.isTruncated
    scan = nil
    if finished.isIncomplete { scanRetry.failed(now) } else { scanRetry.succeeded() }
    if state == .scanningNamespaces {
      connectIOQueues()
    } else if !changes.isEmpty {
      actions.append(.namespacesChanged(changes))
    }
    refreshANALogIfIdle(now)
    startRescanIfIdle(now)
  }

  mutating func startRescanIfIdle(_ now: UInt64) {
    guard needsRescan, scan == nil, state == .ready || state == .connectingIOQueues else { return }
    needsRescan = false
    scanRetry.cancel()
    scan = NamespaceScan(known: namespaces)
    submitScan(now)
  }

  /// One at a time: a controller that sends events without end must not make us queue commands without end.
  mutating func readChangedListIfIdle(_ now: UInt64) {
    guard needsChangedList, !isReadingChangedList else { return }
    needsChangedList = false
    changedListRetry.cancel()
    isReadingChangedList = true
    submit(
      .changedNamespaceList, "reading the changed namespace list",
      .getLogPage(.changedNamespaceList, byteCount: 4096), dataInByteCount: 4096,
      deadlineNanoseconds: adminDeadline(now))
  }
}
