/// An NVM subsystem of the target.
final class TargetSubsystem {
  var configuration: SubsystemConfiguration
  let maximumNamespaceIdentifier: UInt32
  /// By identifier, 0...`maximumNamespaceIdentifier`.
  let views: UnsafeMutablePointer<NamespaceView>
  private(set) var namespaces: [UInt32: TargetNamespace] = [:]
  private var disabledNamespaces: [UInt32: TargetNamespace] = [:]
  /// Ascending.
  private(set) var activeIdentifiers: [UInt32] = []
  var controllers: [TargetController] = []
  /// CHGCNT of the ANA log.
  var accessChangeCount: UInt64 = 0

  init(configuration: SubsystemConfiguration, maximumNamespaceIdentifier: UInt32) {
    self.configuration = configuration
    self.maximumNamespaceIdentifier = maximumNamespaceIdentifier
    let count = Int(maximumNamespaceIdentifier) + 1
    views = .allocate(capacity: count)
    views.initialize(repeating: NamespaceView(), count: count)
  }

  deinit { views.deallocate() }

  var nqn: String { configuration.nqn }

  func add(_ namespace: TargetNamespace) {
    namespaces[namespace.identifier] = namespace
    activeIdentifiers = namespaces.keys.sorted()
    refresh(namespace)
  }

  func remove(_ identifier: UInt32) -> TargetNamespace? {
    guard let namespace = namespaces.removeValue(forKey: identifier) else { return nil }
    activeIdentifiers = namespaces.keys.sorted()
    views[Int(identifier)] = NamespaceView()
    return namespace
  }

  /// All that it has, those that are disabled included.
  func removeAll() -> [TargetNamespace] {
    let all = Array(namespaces.values) + Array(disabledNamespaces.values)
    for identifier in activeIdentifiers { _ = remove(identifier) }
    disabledNamespaces = [:]
    return all
  }

  func isDisabled(_ identifier: UInt32) -> Bool { disabledNamespaces[identifier] != nil }

  /// - Returns: false for one that is not there.
  func disable(_ identifier: UInt32) -> Bool {
    guard let namespace = remove(identifier) else { return false }
    disabledNamespaces[identifier] = namespace
    return true
  }

  /// - Returns: false for one that is not disabled.
  func enable(_ identifier: UInt32) -> Bool {
    guard let namespace = disabledNamespaces.removeValue(forKey: identifier) else { return false }
    add(namespace)
    return true
  }

  /// After a namespace has changed.
  func refresh(_ namespace: TargetNamespace) {
    views[Int(namespace.identifier)] = namespace.view
  }

  func allows(host: String) -> Bool { configuration.allowedHosts?.contains(host) ?? true }

  /// Groups that hold a namespace, ascending.
  var accessGroups: [UInt32] { Set(namespaces.values.map(\.accessGroup)).sorted() }
}
