internal import BlockDevice
internal import JSONRPC
internal import Glibc

/// The three timers that only make sense together, as the interface says them.
package struct TimerSettings: Sendable, Hashable {
  /// How long a controller may be lost before it goes, in seconds; -1 = for ever, 0 = it is not reconnected.
  package var controllerLossSeconds: Int32 = 0
  package var reconnectDelaySeconds: UInt32 = 0
  /// How long after the loss I/O is held, in seconds; 0 = as long as the controller is not given up.
  package var fastIOFailSeconds: UInt32 = 0

  package init() {}

  mutating func decode(_ parameters: inout RPCParameters) throws(RPCParameterError) {
    controllerLossSeconds = try parameters.optional("ctrlr_loss_timeout_sec", default: controllerLossSeconds)
    reconnectDelaySeconds = try parameters.optional("reconnect_delay_sec", default: reconnectDelaySeconds)
    fastIOFailSeconds = try parameters.optional("fast_io_fail_timeout_sec", default: fastIOFailSeconds)
  }

  /// - Parameter promptAttempts: made at once after a loss where the controller is not reconnected.
  /// - Throws: -22 for a triple that cannot be.
  func recoveryTimers(promptAttempts: Int = 1) throws(RPCError) -> RecoveryTimers {
    let loss = Int64(controllerLossSeconds)
    do throws(RecoveryTimersError) {
      let timers = try RecoveryTimers(
        reconnectDelayMilliseconds: Int64(reconnectDelaySeconds) * 1000,
        controllerLossTimeoutMilliseconds: loss < 0 ? loss : loss * 1000,
        fastIOFailTimeoutMilliseconds: Int64(fastIOFailSeconds) * 1000)
      return timers.reconnects ? timers : .once(attempts: promptAttempts)
    } catch {
      throw .system(EINVAL, detail: "\(error)")
    }
  }

  func add(to members: inout JSONObject) {
    members["ctrlr_loss_timeout_sec"] = .integer(controllerLossSeconds)
    members["reconnect_delay_sec"] = .integer(reconnectDelaySeconds)
    members["fast_io_fail_timeout_sec"] = .integer(fastIOFailSeconds)
  }
}
