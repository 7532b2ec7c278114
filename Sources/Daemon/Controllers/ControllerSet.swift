internal import BlockDevice
import Synchronization

/// All controllers attached under one name, and the devices made of their namespaces.
///
/// The registry changes it, on the control reactor; any thread reads it at any time.
package final class ControllerSet: Sendable {
  private struct State {
    var controllers: [AttachedController] = [] { didSet { Revision.mark() } }
    var devices: [RegisteredDevice] = []
  }

  package let name: String
  package let subsystemNQN: String
  package let hostNQN: String
  let usesMultipath: Bool
  /// What its devices are made with.
  let multipath: MultipathOptions
  private let state: Mutex<State>
  /// On the control reactor's thread only.
  let group: ControllerGroup

  init(_ request: AttachRequest, group: ControllerGroup) {
    self.group = group
    name = request.name
    subsystemNQN = request.address.subsystemNQN
    hostNQN = request.hostNQN
    usesMultipath = request.usesMultipath
    multipath = request.multipath
    state = Mutex(State())
  }

  /// In the order attached; those that are leaving included, until nothing of them is left.
  package var controllers: [AttachedController] { state.withLock { $0.controllers } }
  /// In the order of their NSIDs.
  package var devices: [RegisteredDevice] { state.withLock { $0.devices } }

  /// The controller with a CNTLID.
  func controller(_ identifier: UInt16) -> AttachedController? {
    controllers.first { $0.controller.snapshot.controllerIdentifier == identifier }
  }

  func add(_ controller: AttachedController) { state.withLock { $0.controllers.append(controller) } }

  /// - Returns: whether it is the last one.
  func remove(_ controller: AttachedController) -> Bool {
    state.withLock { state in
      state.controllers.removeAll { $0 === controller }
      return state.controllers.isEmpty
    }
  }

  /// - Parameter device: one whose origin is an ``NVMeDevice``.
  func add(_ device: RegisteredDevice) {
    func order(_ device: RegisteredDevice) -> UInt32 { device.nvme?.multipath.namespaceIdentifier ?? 0 }
    state.withLock { state in
      let place = state.devices.firstIndex { order($0) > order(device) } ?? state.devices.count
      state.devices.insert(device, at: place)
    }
  }

  func removeDevice(over multipath: MultipathBlockDevice) -> RegisteredDevice? {
    state.withLock { state in
      guard let place = state.devices.firstIndex(where: { $0.nvme?.multipath === multipath }) else { return nil }
      return state.devices.remove(at: place)
    }
  }
}
