internal import BlockDevice
internal import JSONRPC
internal import Glibc

/// What `bdev_nvme_set_options` sets: the defaults of all controllers.
package struct NVMeOptions: Sendable, Hashable {
  package enum TimeoutAction: String, RPCEnumeration { case none, reset, abort }
  package enum Digest: String, RPCEnumeration { case sha256, sha384, sha512 }
  package enum DHGroup: String, RPCEnumeration { case null, ffdhe2048, ffdhe3072, ffdhe4096, ffdhe6144, ffdhe8192 }

  var timeoutAction = TimeoutAction.none
  var timeoutMicroseconds: UInt64 = 0
  var adminTimeoutMicroseconds: UInt64 = 0
  var keepAliveTimeoutMilliseconds: UInt32 = 10_000
  var arbitrationBurst: UInt32 = 0
  var lowPriorityWeight: UInt32 = 0
  var mediumPriorityWeight: UInt32 = 0
  var highPriorityWeight: UInt32 = 0
  var adminQueuePollMicroseconds: UInt64 = 10_000
  var ioQueuePollMicroseconds: UInt64 = 0
  var ioQueueRequests: UInt32 = 0
  var delaysSubmission = true
  var transportRetryCount: UInt32 = 4
  /// -1 = no limit.
  var deviceRetryCount: Int32 = 3
  /// n: sent data may stay unacknowledged for 2ⁿ ms; 0 = the transport's default.
  var transportAckTimeout: UInt8 = 0
  package var timers = TimerSettings()
  var disablesAutomaticFailback = false
  var generatesUUIDs = false
  var transportTypeOfService: UInt8 = 0
  /// Whether statistics of a device tell errors by their status.
  package var countsErrors = false
  var rdmaSharedReceiveQueueSize: UInt32 = 0
  /// Whether I/O is counted path by path.
  package var countsPathIO = false
  var allowsAccelerationSequences = false
  var rdmaMaximumCompletionQueueSize: UInt32 = 0
  var rdmaEventTimeoutMilliseconds: UInt16 = 0
  var dhchapDigests = Digest.allCases
  var dhchapGroups = DHGroup.allCases
  var rdmaRegistersMemoryPerIO = false
  var tcpConnectTimeoutMilliseconds: UInt32 = 0
  var enablesFlush = false
  package var multipath = MultipathOptions()

  package init() {}

  /// Reads a request; what it does not say stays as it is.
  mutating func decode(_ parameters: inout RPCParameters) throws(RPCParameterError) {
    timeoutAction = try parameters.optional("action_on_timeout", default: timeoutAction)
    timeoutMicroseconds = try parameters.optional("timeout_us", default: timeoutMicroseconds)
    adminTimeoutMicroseconds = try parameters.optional("timeout_admin_us", default: adminTimeoutMicroseconds)
    keepAliveTimeoutMilliseconds = try parameters.optional(
      "keep_alive_timeout_ms", default: keepAliveTimeoutMilliseconds)
    arbitrationBurst = try parameters.optional("arbitration_burst", default: arbitrationBurst)
    lowPriorityWeight = try parameters.optional("low_priority_weight", default: lowPriorityWeight)
    mediumPriorityWeight = try parameters.optional("medium_priority_weight", default: mediumPriorityWeight)
    highPriorityWeight = try parameters.optional("high_priority_weight", default: highPriorityWeight)
    adminQueuePollMicroseconds = try parameters.optional(
      "nvme_adminq_poll_period_us", default: adminQueuePollMicroseconds)
    ioQueuePollMicroseconds = try parameters.optional("nvme_ioq_poll_period_us", default: ioQueuePollMicroseconds)
    ioQueueRequests = try parameters.optional("io_queue_requests", default: ioQueueRequests)
    delaysSubmission = try parameters.optional("delay_cmd_submit", default: delaysSubmission)
    transportRetryCount = try parameters.optional("transport_retry_count", default: transportRetryCount)
    deviceRetryCount = try parameters.optional("bdev_retry_count", default: deviceRetryCount)
    transportAckTimeout = try parameters.optional("transport_ack_timeout", default: transportAckTimeout)
    try timers.decode(&parameters)
    disablesAutomaticFailback = try parameters.optional("disable_auto_failback", default: disablesAutomaticFailback)
    generatesUUIDs = try parameters.optional("generate_uuids", default: generatesUUIDs)
    transportTypeOfService = try parameters.optional("transport_tos", default: transportTypeOfService)
    countsErrors = try parameters.optional("nvme_error_stat", default: countsErrors)
    rdmaSharedReceiveQueueSize = try parameters.optional("rdma_srq_size", default: rdmaSharedReceiveQueueSize)
    countsPathIO = try parameters.optional("io_path_stat", default: countsPathIO)
    allowsAccelerationSequences = try parameters.optional("allow_accel_sequence", default: allowsAccelerationSequences)
    rdmaMaximumCompletionQueueSize = try parameters.optional(
      "rdma_max_cq_size", default: rdmaMaximumCompletionQueueSize)
    rdmaEventTimeoutMilliseconds = try parameters.optional(
      "rdma_cm_event_timeout_ms", default: rdmaEventTimeoutMilliseconds)
    dhchapDigests = try parameters.optional("dhchap_digests", default: dhchapDigests)
    dhchapGroups = try parameters.optional("dhchap_dhgroups", default: dhchapGroups)
    rdmaRegistersMemoryPerIO = try parameters.optional("rdma_umr_per_io", default: rdmaRegistersMemoryPerIO)
    tcpConnectTimeoutMilliseconds = try parameters.optional(
      "tcp_connect_timeout_ms", default: tcpConnectTimeoutMilliseconds)
    enablesFlush = try parameters.optional("enable_flush", default: enablesFlush)
    var multipath = multipath
    _ = try parameters.optionalObject("multipath_opts") { inner throws(RPCParameterError) in
      try multipath.decode(&inner)
    }
    self.multipath = multipath
  }

  /// Whether the options make sense together, and can be honoured.
  ///
  /// - Throws: -22; where it is this program that cannot, with a text that says so.
  func check() throws(RPCError) {
    if timeoutMicroseconds == 0 && adminTimeoutMicroseconds != 0 {
      throw .system(EINVAL, detail: "timeout_admin_us needs timeout_us to be set, too")
    }
    if deviceRetryCount < -1 { throw .system(EINVAL, detail: "bdev_retry_count is -1 (no limit) or more") }
    _ = try timers.recoveryTimers()
    _ = try multipath.multipathPolicy(failsBackAutomatically: true)
    if arbitrationBurst > 7 { throw .invalidArgument("arbitration_burst is \(arbitrationBurst), must be 0 to 7") }
    for (name, weight) in [
      ("low_priority_weight", lowPriorityWeight), ("medium_priority_weight", mediumPriorityWeight),
      ("high_priority_weight", highPriorityWeight),
    ] where weight > 255 { throw .invalidArgument("\(name) is \(weight), must be 0 to 255") }
    for (name, isDefault) in [
      ("transport_tos", transportTypeOfService == 0), ("rdma_srq_size", rdmaSharedReceiveQueueSize == 0),
      ("rdma_max_cq_size", rdmaMaximumCompletionQueueSize == 0),
      ("rdma_cm_event_timeout_ms", rdmaEventTimeoutMilliseconds == 0), ("rdma_umr_per_io", !rdmaRegistersMemoryPerIO),
    ] where !isDefault {
      throw .invalidArgument("\(name) is about RDMA, and there is none here: leave it at its default")
    }
    if allowsAccelerationSequences {
      throw .invalidArgument("allow_accel_sequence cannot be honoured: there is no acceleration framework here")
    }
    if dhchapDigests.isEmpty { throw .system(EINVAL, detail: "dhchap_digests must name at least one") }
    if dhchapGroups.isEmpty { throw .system(EINVAL, detail: "dhchap_dhgroups must name at least one") }
  }

  /// As the parameters of `bdev_nvme_set_options`.
  var members: JSONObject {
    var members: JSONObject = [
      "action_on_timeout": .string(timeoutAction.rawValue), "timeout_us": .integer(timeoutMicroseconds),
      "timeout_admin_us": .integer(adminTimeoutMicroseconds),
      "keep_alive_timeout_ms": .integer(keepAliveTimeoutMilliseconds),
      "arbitration_burst": .integer(arbitrationBurst), "low_priority_weight": .integer(lowPriorityWeight),
      "medium_priority_weight": .integer(mediumPriorityWeight), "high_priority_weight": .integer(highPriorityWeight),
      "nvme_adminq_poll_period_us": .integer(adminQueuePollMicroseconds),
      "nvme_ioq_poll_period_us": .integer(ioQueuePollMicroseconds), "io_queue_requests": .integer(ioQueueRequests),
      "delay_cmd_submit": .bool(delaysSubmission), "transport_retry_count": .integer(transportRetryCount),
      "bdev_retry_count": .integer(deviceRetryCount), "transport_ack_timeout": .integer(transportAckTimeout),
    ]
    timers.add(to: &members)
    let rest: JSONObject = [
      "disable_auto_failback": .bool(disablesAutomaticFailback), "generate_uuids": .bool(generatesUUIDs),
      "transport_tos": .integer(transportTypeOfService), "nvme_error_stat": .bool(countsErrors),
      "rdma_srq_size": .integer(rdmaSharedReceiveQueueSize), "io_path_stat": .bool(countsPathIO),
      "allow_accel_sequence": .bool(allowsAccelerationSequences),
      "rdma_max_cq_size": .integer(rdmaMaximumCompletionQueueSize),
      "rdma_cm_event_timeout_ms": .integer(rdmaEventTimeoutMilliseconds),
      "dhchap_digests": .array(dhchapDigests.map { .string($0.rawValue) }),
      "dhchap_dhgroups": .array(dhchapGroups.map { .string($0.rawValue) }),
      "rdma_umr_per_io": .bool(rdmaRegistersMemoryPerIO),
      "tcp_connect_timeout_ms": .integer(tcpConnectTimeoutMilliseconds), "enable_flush": .bool(enablesFlush),
      "multipath_opts": multipath.value,
    ]
    for member in rest.members { members[member.key] = member.value }
    return members
  }
}

// MARK: What becomes of them

extension NVMeOptions {
  /// Of how many retries in all a request has: upstream's two layers retry one inside the other.
  var retryLimit: Int {
    if deviceRetryCount < 0 { return -1 }
    let (attempts, overflow) = (Int(transportRetryCount) + 1).multipliedReportingOverflow(by: Int(deviceRetryCount) + 1)
    return overflow ? .max : attempts - 1
  }

  /// Set Features Arbitration's value (NVMe Base 2.1, section 5.1.25.1.1); nil where the controller's own stays.
  var arbitrationValue: UInt32? {
    if arbitrationBurst == 0 && lowPriorityWeight == 0 && mediumPriorityWeight == 0 && highPriorityWeight == 0 {
      return nil
    }
    return arbitrationBurst | lowPriorityWeight << 8 | mediumPriorityWeight << 16 | highPriorityWeight << 24
  }

  func apply(to configuration: inout ControllerConfiguration) {
    configuration.keepAliveTimeoutMilliseconds = keepAliveTimeoutMilliseconds
    if tcpConnectTimeoutMilliseconds > 0 { configuration.connectTimeoutMilliseconds = tcpConnectTimeoutMilliseconds }
    configuration.timeoutAction =
      switch timeoutAction {
      case .none: .none
      case .reset: .reset
      case .abort: .abort
      }
    configuration.ioTimeoutMilliseconds = Self.milliseconds(timeoutMicroseconds)
    let admin = adminTimeoutMicroseconds > 0 ? adminTimeoutMicroseconds : timeoutMicroseconds
    // The steps of making an association have a deadline in any case.
    if admin > 0 { configuration.adminTimeoutMilliseconds = Self.milliseconds(admin) }
    if ioQueueRequests > 0 { configuration.queueDepth = Int(min(ioQueueRequests, 4095)) }
  }

  func apply(to options: inout TCPTransportOptions) {
    if transportAckTimeout > 0 { options.userTimeoutMilliseconds = 1 << UInt32(min(transportAckTimeout, 31)) }
  }

  private static func milliseconds(_ microseconds: UInt64) -> UInt32 {
    UInt32(clamping: microseconds / 1000 + (microseconds % 1000 > 0 ? 1 : 0))
  }
}
