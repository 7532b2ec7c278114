/// Looks before a run whether there is anything to test.
public enum ConformanceTargetProbe {
  /// Why the target cannot be tested at all; nil when an admin queue of the subsystem can be connected.
  public static func reasonUnreachable(_ target: ConformanceTarget) async -> String? {
    do {
      return try await offPool {
        _ = try RawController(target)
        return nil
      }
    } catch {
      return "\(error)"
    }
  }
}
