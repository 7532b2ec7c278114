internal import NVMeProtocol

/// Keep alives: when one is due, and whether traffic spares it.
extension ControllerStateMachine {
  private var isKeepAliveTrafficBased: Bool { identification?.supportsTrafficBasedKeepAlive ?? false }

  /// Half of KATO (NVMe Base 2.1, section 3.9.3). Where it is traffic based, a quarter: a command right after a look puts
  /// the next keep alive off for two of them.
  var keepAliveIntervalNanoseconds: UInt64 {
    UInt64(configuration.keepAliveTimeoutMilliseconds) * (isKeepAliveTrafficBased ? 250_000 : 500_000)
  }

  mutating func keepAliveDue(_ now: UInt64) {
    nextKeepAliveNanoseconds = now &+ keepAliveIntervalNanoseconds
    // Queues that have not told since the last time are not waited for any longer.
    if isKeepAliveTrafficBased && state == .ready && !isLookingForTraffic {
      isLookingForTraffic = true
      actions.append(.lookForTraffic)
    } else {
      isLookingForTraffic = false
      sendKeepAlive(now)
    }
  }

  mutating func sendKeepAlive(_ now: UInt64) {
    let isUnderWay = pending.values.contains { if case .keepAlive = $0.purpose { true } else { false } }
    if isUnderWay { return }
    submit(
      .keepAlive, "a keep alive", .keepAlive(),
      deadlineNanoseconds: now &+ UInt64(configuration.keepAliveTimeoutMilliseconds) * 1_000_000)
    // One at a time: of a controller that answers keep alives and nothing else, the admin queue would be full of them.
    let isStatusAwaited = pending.values.contains { if case .statusCheck = $0.purpose { true } else { false } }
    if state == .ready && !isStatusAwaited {
      submit(
        .statusCheck, "reading CSTS", .propertyGet(.controllerStatus), deadlineNanoseconds: adminDeadline(now))
    }
  }
}
