internal import NVMeProtocol

/// Looks before a run whether there is anything to test.
public enum ConformanceTargetProbe {
  /// Why the target cannot be tested at all; nil when an admin queue of the subsystem can be connected, and the
  /// namespaces under test are there.
  public static func reasonUntestable(_ target: ConformanceTarget) async -> String? {
    do {
      return try await offPool {
        let controller = try RawController(target)
        return missingNamespace(target, controller)
      }
    } catch {
      return "\(error)"
    }
  }

  /// Which namespace under test is not there. A target that cannot even tell has failed, which is for the cases to find.
  private static func missingNamespace(_ target: ConformanceTarget, _ controller: RawController) -> String? {
    guard !target.namespaceIdentifiers.isEmpty, (try? controller.enable()) != nil,
      let there = try? RawNamespace.activeIdentifiers(controller),
      // A list that is full may go on.
      there.count < IdentifyStructure.byteCount / 4,
      let missing = target.namespaceIdentifiers.first(where: { !there.contains($0) })
    else { return nil }
    let list = there.isEmpty ? "none" : there.prefix(32).map(String.init).joined(separator: ", ")
    return "there is no namespace \(missing); there are: \(list)"
  }
}
