/// Lets one at a time in, by key, first come first served. To be kept in an actor.
struct SerialLanes {
  /// There is an entry while somebody is in.
  private var waiting: [String: [UnsafeContinuation<Void, Never>]] = [:]

  /// Takes the lane if it is free; else the continuation is resumed when it is the caller's.
  mutating func enter(_ key: String, _ continuation: UnsafeContinuation<Void, Never>) {
    if waiting[key] == nil {
      waiting[key] = []
      continuation.resume()
    } else {
      waiting[key]?.append(continuation)
    }
  }

  mutating func leave(_ key: String) {
    if waiting[key]?.isEmpty == false { waiting[key]?.removeFirst().resume() } else { waiting[key] = nil }
  }
}
