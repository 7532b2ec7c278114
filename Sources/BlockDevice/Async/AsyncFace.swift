internal import NVMeProtocol
public import RingReactor
import Synchronization

/// The `async` face of a block device: takes requests from any task, has them carried out by a channel on one reactor, and
/// resumes the task when they have ended.
///
/// Tasks that prefer the reactor as their executor (`withTaskExecutorPreference(device.reactor) { … }`) submit and are
/// resumed on its thread, without a hop; from elsewhere requests travel through a mailbox, one wake a batch.
public final class AsyncFace: Sendable {
  struct Request: @unchecked Sendable {
    var request: BlockRequest
    var continuation: UnsafeContinuation<BlockCompletion, Never>
  }

  private struct Inbox {
    var requests: [Request] = []
    var isScheduled = false
    var portIdentifier: SourceIdentifier?
  }

  private struct Sent<Value>: @unchecked Sendable { let value: Value }

  /// The reactor that the requests are carried out on.
  public let reactor: ReactorHandle
  private let inbox = Mutex(Inbox())
  /// On the reactor's thread only.
  private nonisolated(unsafe) var port: AsyncPort?

  /// Requests that are with the device at once; more wait.
  static let queueDepth = 1024

  public init(reactor: ReactorHandle) { self.reactor = reactor }

  deinit {
    guard let port else { return }
    let sent = Sent(value: port)
    reactor.post { _ in sent.value.close() }
  }

  /// Carries a request out. It ends when the device is done with it; a cancelled task waits all the same, because the
  /// request's memory is with the device until then.
  nonisolated(nonsending) func perform(_ request: BlockRequest, device: any BlockDevice) async -> BlockCompletion {
    await withUnsafeContinuation { continuation in
      if reactor.isCurrentThread, let port {
        port.take(request, continuation)
        return
      }
      let request = Request(request: request, continuation: continuation)
      let (needsWake, identifier) = inbox.withLock { inbox in
        inbox.requests.append(request)
        let wasScheduled = inbox.isScheduled
        inbox.isScheduled = true
        return (!wasScheduled, inbox.portIdentifier)
      }
      guard needsWake else { return }
      if let identifier {
        if !reactor.wake(identifier) { failInbox() }
      } else {
        let isPosted = reactor.post { reactor in self.openPort(on: reactor, device: device) }
        if !isPosted { failInbox() }
      }
    }
  }

  private func openPort(on reactor: Reactor, device: any BlockDevice) {
    if port == nil, let channel = try? device.openChannel(on: reactor, queueDepth: Self.queueDepth) {
      let port = AsyncPort(reactor: reactor, channel: channel, face: self)
      self.port = port
      inbox.withLock { $0.portIdentifier = port.identifier }
    }
    if let port { port.run() } else { failInbox() }
  }

  /// For the port: what has been put into the mailbox, into `requests`, whose memory is used again.
  func drain(into requests: inout [Request]) {
    inbox.withLock { inbox in
      swap(&requests, &inbox.requests)
      inbox.isScheduled = false
    }
  }

  /// For the port: its channel has been closed underneath it.
  func portClosed() {
    port = nil
    inbox.withLock { $0.portIdentifier = nil }
    failInbox()
  }

  private func failInbox() {
    var requests: [Request] = []
    drain(into: &requests)
    for request in requests { request.continuation.resume(returning: .notSent(request.request)) }
  }
}

extension BlockCompletion {
  /// The end of a request that could not be handed to any channel.
  static func notSent(_ request: BlockRequest) -> BlockCompletion {
    BlockCompletion(
      token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
      blockCount: request.blockCount, outcome: .notSent, status: .commandAbortedByHost)
  }
}
