import BlockDevice
import JSON

/// A piece of news of discovery services, for people and for scripts.
enum DiscoveryEventReport {
  static func text(_ event: DiscoveryEvent) -> String {
    switch event {
    case .serviceAdded(let target): "referral to \(target.hostAndPort): it is watched, too"
    case .serviceRemoved(let target): "\(target.hostAndPort): nothing refers to it any more"
    case .serviceConnected(let target): "\(target.hostAndPort): connected"
    case .serviceLost(let target, let error): "\(target.hostAndPort): lost, and tried again: \(error)"
    case .serviceFailed(let target, let error): "\(target.hostAndPort): given up: \(error)"
    case .serviceRenamed(let target, let name): "\(target.hostAndPort): its own name is \(name)"
    case .logUnreadable(let target, let error): "\(target.hostAndPort): \(error)"
    case .logChanged(let change):
      (["\(change.service.hostAndPort): generation \(change.generationCounter), \(change.recordCount) records"]
        + change.added.map { "  + \(line($0))" } + change.removed.map { "  - \(line($0))" }).joined(separator: "\n")
    case .attach(let paths): paths.map { "attach \($0)" }.joined(separator: "\n")
    case .detach(let paths): paths.map { "detach \($0)" }.joined(separator: "\n")
    }
  }

  private static func line(_ record: DiscoveryRecord) -> String {
    let entry = record.entry
    let place = "\(entry.transportType) \(entry.transportAddress) \(entry.serviceIdentifier)"
    return "\(entry.subsystemType): \(entry.subsystemNQN) at \(place)"
      + (record.unusableReason.map { " (skipped: \($0))" } ?? "")
  }

  static func json(_ event: DiscoveryEvent) -> JSONValue {
    switch event {
    case .serviceAdded(let target): news("service-added", target)
    case .serviceRemoved(let target): news("service-removed", target)
    case .serviceConnected(let target): news("service-connected", target)
    case .serviceLost(let target, let error): news("service-lost", target, ["error": .string("\(error)")])
    case .serviceFailed(let target, let error): news("service-failed", target, ["error": .string("\(error)")])
    case .serviceRenamed(let target, let name): news("service-renamed", target, ["nqn": .string(name)])
    case .logUnreadable(let target, let error): news("log-unreadable", target, ["error": .string("\(error)")])
    case .logChanged(let change):
      news(
        "log-changed", change.service,
        [
          "genctr": .integer(change.generationCounter), "records": .integer(change.recordCount),
          "added": .array(change.added.map { DiscoveryReport.json($0) }),
          "removed": .array(change.removed.map { DiscoveryReport.json($0) }),
        ])
    case .attach(let paths): ["event": "attach", "uris": .array(paths.map { .string($0.target.uri) })]
    case .detach(let paths): ["event": "detach", "uris": .array(paths.map { .string($0.target.uri) })]
    }
  }

  private static func news(_ name: String, _ service: TargetIdentifier, _ more: JSONObject = [:]) -> JSONValue {
    var members: JSONObject = ["event": .string(name), "service": .string(service.hostAndPort)]
    members.merge(more)
    return .object(members)
  }
}
