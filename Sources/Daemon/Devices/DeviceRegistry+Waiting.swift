internal import Synchronization

extension DeviceRegistry {
  /// The device with this name or alias, waited for until it is registered.
  ///
  /// - Returns: nil when that has not come about in time.
  func device(named name: String, within milliseconds: UInt64) async -> RegisteredDevice? {
    if let device = device(named: name) { return device }
    guard milliseconds > 0 else { return nil }
    let (news, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    let observer = addObserver { event in
      if case .registered = event { continuation.yield() }
    }
    defer { removeObserver(observer) }
    let timer = Task {
      try? await Task.sleep(for: .milliseconds(Int64(clamping: milliseconds)))
      continuation.finish()
    }
    defer { timer.cancel() }
    // It may have come between the first look and the observer.
    continuation.yield()
    for await _ in news {
      if let device = device(named: name) { return device }
    }
    return device(named: name)
  }
}
