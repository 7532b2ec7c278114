internal import BlockDevice
internal import Glibc
package import JSONRPC

extension ControllerRegistry {
  /// Resets, enables or disables the controllers of a name, one after the other, and waits for the end of it.
  ///
  /// - Parameter identifier: CNTLID of the one that is meant; 0 for all.
  /// - Throws: -19 where there is none; -16 while one is being reset; -6 while it goes; -1 when it does not come back.
  package nonisolated func carryOut(
    _ operation: ControllerOperation, on name: String, _ identifier: UInt16
  ) async throws(RPCError) {
    guard let set = set(named: name) else { throw .noSuchDevice }
    let members = identifier == 0 ? set.controllers : [set.controller(identifier)].compactMap { $0 }
    guard !members.isEmpty else { throw .noSuchDevice }
    for member in members { try await carryOut(operation, on: member.controller) }
  }

  private nonisolated func carryOut(
    _ operation: ControllerOperation, on controller: Controller
  ) async throws(RPCError) {
    let state = controller.snapshot.state
    if state == .deleting || state == .deleted { throw .system(ENXIO) }
    switch operation {
    case .reset:
      switch await controller.beginReset() {
      case .deleting: throw .system(ENXIO)
      case .alreadyResetting: throw .system(EBUSY)
      // As upstream has it: nothing to be done is success.
      case .disabled: return
      case nil: break
      }
    case .enable:
      if state == .resetting { throw .system(EBUSY) }
      guard state == .disabled else { return }
      controller.connect()
    case .disable:
      if state == .resetting { throw .system(EBUSY) }
      guard state != .disabled else { return }
      controller.shutdown()
      // From here on it is disabled, or somebody has wished something else since: that is not waited for.
      _ = try? await controller.home.perform { _ in }
      await controller.wait { $0.state != .disabled || $0.condition != .closing }
      switch controller.snapshot.state {
      case .deleting, .deleted: throw .system(ENXIO)
      default: return
      }
    }
    // Up to the end of the first attempt: others may follow, as the timers say.
    await controller.wait { snapshot in
      switch snapshot.condition {
      case .ready, .closed: true
      default: snapshot.state == .reconnectDelayed
      }
    }
    guard controller.snapshot.state == .enabled else {
      throw .system(EPERM, detail: controller.snapshot.recovery.lastAttemptFailure.map { "\($0)" })
    }
  }
}
