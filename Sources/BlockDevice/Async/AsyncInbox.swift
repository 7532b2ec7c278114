internal import RingReactor
import Synchronization

/// What an ``AsyncFace`` and its port share: requests from other threads, and the port itself. An object of its own, which
/// both hold, so that neither needs to refer to the other weakly: an object that is weakly referred to has its references
/// counted in a table beside it, at each I/O.
final class AsyncInbox: Sendable {
  struct Request: @unchecked Sendable {
    var request: BlockRequest
    var continuation: UnsafeContinuation<BlockCompletion, Never>
  }

  private struct State {
    var requests: [Request] = []
    var isScheduled = false
    var portIdentifier: SourceIdentifier?
    /// Why there is no port; nil where there is one, or nobody has asked for one yet.
    var refusal: BlockRefusal?
  }

  /// What a thread that has left a request has to do.
  enum Errand {
    /// Somebody else has seen to it.
    case nothing
    case wake(SourceIdentifier)
    case openPort
  }

  private let state = Mutex(State())
  /// On the reactor's thread only.
  nonisolated(unsafe) private(set) var port: AsyncPort?

  /// Leaves a request.
  func append(_ request: Request) -> Errand {
    state.withLock { state in
      state.requests.append(request)
      if state.isScheduled { return .nothing }
      state.isScheduled = true
      return state.portIdentifier.map(Errand.wake) ?? .openPort
    }
  }

  /// Puts what has been left into `requests`, whose memory is used again.
  func drain(into requests: inout [Request]) {
    state.withLock { state in
      swap(&requests, &state.requests)
      state.isScheduled = false
    }
  }

  /// Why requests could not be carried out the last time; nil when they could.
  var refusal: BlockRefusal? { state.withLock { $0.refusal } }

  /// Ends what has been left: there is no channel for it.
  func refuse(_ refusal: BlockRefusal) {
    state.withLock { $0.refusal = refusal }
    fail()
  }

  /// Ends what has been left: it cannot be carried out.
  private func fail() {
    var requests: [Request] = []
    drain(into: &requests)
    for request in requests { request.continuation.resume(returning: .notSent(request.request)) }
  }

  func portOpened(_ newPort: AsyncPort) {
    port = newPort
    state.withLock { state in
      state.portIdentifier = newPort.identifier
      state.refusal = nil
    }
  }

  /// The port's channel has been closed underneath it, or the face is gone.
  func portClosed() {
    port = nil
    state.withLock { state in
      state.portIdentifier = nil
      state.refusal = .closed
    }
    fail()
  }

  /// The port's channel takes no requests any more; those that are with it still end.
  func channelRefused(_ refusal: BlockRefusal) {
    if refusal == .closed { state.withLock { $0.refusal = .closed } }
  }
}
