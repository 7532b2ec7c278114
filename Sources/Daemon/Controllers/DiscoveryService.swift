package import BlockDevice
import Synchronization

/// A discovery service that is watched, and whose paths are attached.
package final class DiscoveryService: Sendable {
  private struct State {
    /// Names of controllers, by what they are attached by.
    var names: [DiscoveryPath: String] = [:]
    /// Those of them that are not attached: given up, or refused.
    var lost: Set<DiscoveryPath> = []
    var nextNumber = 0
    var attaching: [Task<Void, Never>] = []
    var observer: UInt64 = 0
    var isStopping = false
    var hasTimedOut = false
  }

  package let request: DiscoveryRequest
  package let discovery: PersistentDiscovery
  private let state = Mutex(State())

  init(_ request: DiscoveryRequest, discovery: PersistentDiscovery) {
    self.request = request
    self.discovery = discovery
  }

  package var name: String { request.name }
  /// The service that is asked now, and those that logs refer to beside it.
  package var services: [TransportAddress] {
    discovery.snapshot.services.map { TransportAddress($0.target) }
  }

  func setObserver(_ observer: UInt64) { state.withLock { $0.observer = observer } }

  /// - Returns: the observer to remove; nil when it is being stopped already.
  func beginStop() -> UInt64? {
    state.withLock { state in
      if state.isStopping { return nil }
      state.isStopping = true
      return state.observer
    }
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }
  var hasTimedOut: Bool {
    get { state.withLock { $0.hasTimedOut } }
    set { state.withLock { $0.hasTimedOut = newValue } }
  }

  /// The name of the controller that has a subsystem's paths; nil when there is none yet.
  func name(ofSubsystem nqn: String) -> String? {
    state.withLock { state in state.names.first { $0.key.target.subsystemNQN == nqn }?.value }
  }

  func makeName() -> String {
    state.withLock { state in
      defer { state.nextNumber += 1 }
      return "\(request.name)\(state.nextNumber)"
    }
  }

  var paths: [DiscoveryPath: String] { state.withLock { $0.names } }

  /// Whether a path is attached, or about to be.
  func has(_ path: DiscoveryPath) -> Bool { state.withLock { $0.names[path] != nil && !$0.lost.contains(path) } }

  func add(_ path: DiscoveryPath, name: String) {
    state.withLock { state in
      state.names[path] = name
      state.lost.remove(path)
    }
  }

  /// A path that is named still is not attached any more. Its subsystem keeps its name.
  func noteLoss(of path: DiscoveryPath) { state.withLock { if $0.names[path] != nil { $0.lost.insert(path) } } }

  func remove(_ path: DiscoveryPath) -> String? {
    state.withLock { state in
      state.lost.remove(path)
      return state.names.removeValue(forKey: path)
    }
  }

  func addAttaching(_ task: Task<Void, Never>) { state.withLock { $0.attaching.append(task) } }

  /// What is being attached; asked once, each time.
  func takeAttaching() -> [Task<Void, Never>] {
    state.withLock { state in
      defer { state.attaching = [] }
      return state.attaching
    }
  }
}
