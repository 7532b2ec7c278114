internal import NVMeHost
internal import RingReactor
import Synchronization

/// All block devices of the daemon, by name. Any thread may call anything here at any time; nothing waits.
package final class DeviceRegistry: Sendable {
  private struct Shared {
    /// In the order registered.
    var devices: [RegisteredDevice] = [] { didSet { Revision.mark() } }
    /// By names and aliases.
    var index: [String: RegisteredDevice] = [:]
    var observers = ObserverTable<DeviceRegistryEvent>()
  }

  private let shared = Mutex(Shared())

  package init() {}

  /// In the order registered.
  package var devices: [RegisteredDevice] { shared.withLock { $0.devices } }

  /// The device with this name or alias.
  package func device(named name: String) -> RegisteredDevice? { shared.withLock { $0.index[name] } }

  /// Enters a device.
  ///
  /// - Returns: false, and nothing has happened, when one has the name already. An alias that is taken is left to whoever
  ///   has it.
  @discardableResult
  package func register(_ device: RegisteredDevice) -> Bool {
    let isNew = shared.withLock { shared in
      if let other = shared.index[device.name], other.name == device.name { return false }
      shared.devices.append(device)
      // A name comes before an alias of another's.
      shared.index[device.name] = device
      for alias in device.aliases where shared.index[alias] == nil { shared.index[alias] = device }
      return true
    }
    if isNew { tell(.registered(device)) }
    return isNew
  }

  /// Takes a device out; false when it is not in.
  @discardableResult
  package func unregister(_ device: RegisteredDevice) -> Bool {
    let isOut = shared.withLock { shared in
      guard let place = shared.devices.firstIndex(where: { $0 === device }) else { return false }
      shared.devices.remove(at: place)
      // Someone else's alias may have been waiting for the name.
      shared.index = [:]
      for other in shared.devices { shared.index[other.name] = other }
      for other in shared.devices {
        for alias in other.aliases where shared.index[alias] == nil { shared.index[alias] = other }
      }
      return true
    }
    if isOut { tell(.unregistered(device)) }
    return isOut
  }

  /// For drivers: a device's size has changed.
  package func noteResize(of device: RegisteredDevice) {
    let isIn = shared.withLock { shared in shared.devices.contains { $0 === device } }
    if isIn { tell(.resized(device)) }
  }

  /// Has `observer` told the news on whichever thread it comes up on, until ``removeObserver(_:)``. It is not told of
  /// devices that are there already.
  package func addObserver(_ observer: @escaping @Sendable (DeviceRegistryEvent) -> Void) -> UInt64 {
    shared.withLock { $0.observers.add(observer) }
  }

  package func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers.remove(identifier) } }

  private func tell(_ event: DeviceRegistryEvent) {
    for observer in shared.withLock({ $0.observers.all }) { observer(event) }
  }
}
