internal import BlockDevice
internal import JSONRPC
internal import Glibc

/// How requests are spread over a device's paths, as the interface says it.
package struct MultipathOptions: Sendable, Hashable {
  package enum Policy: String, RPCEnumeration {
    case activePassive = "active_passive"
    case activeActive = "active_active"
  }

  package enum Selector: String, RPCEnumeration {
    case roundRobin = "round_robin"
    case queueDepth = "queue_depth"
  }

  package var policy = Policy.activePassive
  package var selector = Selector.roundRobin
  /// Requests in a row on one path, with ``Selector/roundRobin``.
  package var minimumIO: UInt32 = 1

  package init() {}

  /// Reads `multipath_opts`; what it does not say stays as it is.
  mutating func decode(_ parameters: inout RPCParameters) throws(RPCParameterError) {
    policy = try parameters.optional("policy", default: policy)
    selector = try parameters.optional("selector", default: selector)
    minimumIO = try parameters.optional("min_io", default: minimumIO)
  }

  /// - Throws: -22 where ``minimumIO`` is 0 and counts.
  func multipathPolicy(failsBackAutomatically: Bool) throws(RPCError) -> MultipathPolicy {
    let spread: MultipathPolicy.Spread =
      switch (policy, selector) {
      case (.activePassive, _): .activePassive
      case (.activeActive, .roundRobin): .activeActive(.roundRobin(minimumIO: minimumIO))
      case (.activeActive, .queueDepth): .activeActive(.queueDepth)
      }
    do throws(MultipathPolicyError) {
      return try MultipathPolicy(spread, failsBackAutomatically: failsBackAutomatically)
    } catch {
      throw .system(EINVAL, detail: "\(error)")
    }
  }

  /// As `multipath_opts`.
  var value: JSONValue { .object(members(policy: "policy", minimumIO: "min_io")) }

  /// - Parameters: the keys' names, which differ from place to place.
  func members(policy policyKey: String, minimumIO minimumKey: String) -> JSONObject {
    var members: JSONObject = [policyKey: .string(policy.rawValue)]
    if policy == .activeActive {
      members["selector"] = .string(selector.rawValue)
      if selector == .roundRobin { members[minimumKey] = .integer(minimumIO) }
    }
    return members
  }
}
