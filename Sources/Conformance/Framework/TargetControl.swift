public import NVMeProtocol

/// Changes a target while cases use it, and looks at it from its other side.
///
/// All namespaces are those of the subsystem under test. What a method changes, it leaves changed: cases put things
/// back, also when they fail.
public protocol TargetControl: Sendable {
  /// A subsystem on the target's first port that admits only hosts that were allowed; nil when there is none.
  var closedSubsystemNQN: String? { get }
  func allowHost(_ hostNQN: String) async throws
  func disallowHost(_ hostNQN: String) async throws

  /// Adds a namespace of that size, full of zeroes.
  func addNamespace(_ identifier: UInt32, byteCount: Int) async throws
  func resizeNamespace(_ identifier: UInt32, byteCount: Int) async throws
  func removeNamespace(_ identifier: UInt32) async throws
  /// Takes a namespace away, with what it holds, or brings it back.
  func setNamespace(_ identifier: UInt32, isEnabled: Bool) async throws

  /// Adds `count` subsystems named `prefix` and a number, on the first port.
  func addSubsystems(prefix: String, count: Int) async throws
  func removeSubsystems(prefix: String) async throws

  /// Resets every connection to the first port.
  func killConnections() async throws
  /// Closes the first or the second port, and resets its connections, or opens it again under the same number.
  func setPort(isSecond: Bool, isOpen: Bool) async throws
  /// Sets the state of a namespace's ANA group as seen through the first or the second port.
  func setANAState(_ state: ANAState, namespace identifier: UInt32, isSecondPort: Bool) async throws
  /// Has the target fall silent, without a reset, or go on.
  func setSilent(_ isSilent: Bool) async throws
  /// What the target sends from its first port is lost on the way, without a reset, or comes late; nil ends that.
  func setImpairment(_ impairment: NetworkImpairment?) async throws
  /// How many I/O queues a controller gets from now on, all hosts being disconnected; nil: as many as at first.
  func setQueueLimit(_ count: Int?) async throws
  /// A namespace that keeps what it holds over ``restart()``.
  var lastingNamespaceIdentifier: UInt32 { get }
  /// Restarts the target as the loss of its power would, and returns when it can be connected to again.
  func restart() async throws

  /// The CRC-32 (ISO 3309, as in zip files) of what the target's own system reads from a namespace's device.
  /// - Parameter offset: in bytes, as `count` a multiple of the block size.
  func checksum(namespace identifier: UInt32, offset: Int, count: Int) async throws -> UInt32
  /// Fills a range of a namespace's device from the target's side.
  func fill(namespace identifier: UInt32, offset: Int, count: Int, with byte: UInt8) async throws
}
