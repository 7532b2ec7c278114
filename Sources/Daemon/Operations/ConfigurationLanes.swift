/// Which of a configuration's calls, from the first on, may be made side by side: each lane of them one after the other, all
/// lanes at once.
struct ConfigurationLanes {
  private enum Lane: Hashable {
    /// A call that brings devices, and those about them.
    case bringer(String)
    /// Of something that is there already, or that nothing brings.
    case device(String)
    case independent(method: String)
    /// What those behind it may depend on: options, keys.
    case step(name: String?)
  }

  private(set) var calls: [[ConfigurationDocument.Call]] = []
  /// So many of the calls are in ``calls``; those behind them wait for these.
  private(set) var callCount = 0

  /// Nothing behind them depends on them.
  private static let independentMethods: Set<String> = ["bdev_nvme_set_hotplug", "bdev_wait_for_examine"]

  init(_ all: ArraySlice<ConfigurationDocument.Call>) {
    guard let first = all.first else { return }
    let bringers = all.map(\.entry).filter { $0.broughtName != nil }
    let firstLane = Self.lane(of: first.entry, bringers)
    var places: [Lane: Int] = [:]
    for call in all {
      let lane = Self.lane(of: call.entry, bringers)
      // Steps of one method go together.
      let isOfGroup: Bool
      switch (lane, firstLane) {
      case (.step, .step): isOfGroup = call.entry.method == first.entry.method
      case (.step, _), (_, .step): isOfGroup = false
      default: isOfGroup = true
      }
      guard isOfGroup else { return }
      callCount += 1
      if let place = places[lane] {
        calls[place].append(call)
      } else {
        places[lane] = calls.count
        calls.append([call])
      }
    }
  }

  private static func lane(of entry: ConfigurationEntry, _ bringers: [ConfigurationEntry]) -> Lane {
    if let name = entry.broughtName { return .bringer(name) }
    if let device = entry.deviceName {
      let bringer = bringers.first { entry.isAboutDevice(of: $0.method, named: $0.broughtName ?? "") }
      return bringer?.broughtName.map { .bringer($0) } ?? .device(device)
    }
    return independentMethods.contains(entry.method) ? .independent(method: entry.method) : .step(name: entry.name)
  }
}
