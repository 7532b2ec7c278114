internal import Glibc

/// A thread of a test's, for what blocks; to be joined or detached.
public final class TestThread: @unchecked Sendable {
  private var thread = pthread_t()

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  public init(_ body: @escaping @Sendable () -> Void) {
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
        return nil
      }, Unmanaged.passRetained(Body(body)).toOpaque())
    precondition(code == 0)
  }

  public func join() { pthread_join(thread, nil) }

  public func detach() { pthread_detach(thread) }
}
