internal import NVMeProtocol
public import RingReactor

/// The `async` face of a block device: takes requests from any task, has them carried out by a channel on one reactor, and
/// resumes the task when they have ended.
///
/// Tasks that prefer the reactor as their executor (`withTaskExecutorPreference(device.reactor) { … }`) submit and are
/// resumed on its thread, without a hop; from elsewhere requests travel through a mailbox, one wake a batch.
public final class AsyncFace: Sendable {
  /// The reactor that the requests are carried out on.
  public let reactor: ReactorHandle
  private let inbox = AsyncInbox()

  /// Requests that are with the device at once; more wait.
  static let queueDepth = 1024

  public init(reactor: ReactorHandle) { self.reactor = reactor }

  deinit {
    let inbox = inbox
    let isPosted = reactor.post { _ in inbox.port?.close() }
    // The port and the inbox hold each other; with its reactor gone nobody uses the port any more.
    if !isPosted { inbox.portClosed() }
  }

  /// Carries a request out. It ends when the device is done with it; a cancelled task waits all the same, because the
  /// request's memory is with the device until then.
  nonisolated(nonsending) func perform(_ request: BlockRequest, device: any BlockDevice) async -> BlockCompletion {
    await withUnsafeContinuation { continuation in
      if reactor.isCurrentThread, let port = inbox.port {
        port.take(request, continuation)
        return
      }
      switch inbox.append(AsyncInbox.Request(request: request, continuation: continuation)) {
      case .nothing:
        break
      case .wake(let identifier):
        if !reactor.wake(identifier) { inbox.refuse(.closed) }
      case .openPort:
        let inbox = inbox
        let isPosted = reactor.post { reactor in Self.openPort(inbox, on: reactor, device: device) }
        if !isPosted { inbox.refuse(.closed) }
      }
    }
  }

  /// Why requests could not be handed to any channel the last time; nil when they could.
  var refusal: BlockRefusal? { inbox.refusal }

  private static func openPort(_ inbox: AsyncInbox, on reactor: Reactor, device: any BlockDevice) {
    if inbox.port == nil {
      do throws(BlockRefusal) {
        let channel = try device.openChannel(on: reactor, queueDepth: queueDepth)
        // Else the device would keep its channel, by way of us, and the channel the device.
        channel.letGoOfDevice()
        inbox.portOpened(AsyncPort(reactor: reactor, channel: channel, inbox: inbox))
      } catch {
        inbox.refuse(error)
        return
      }
    }
    inbox.port?.run()
  }
}

extension BlockCompletion {
  /// The end of a request that could not be handed to any channel.
  static func notSent(_ request: BlockRequest) -> BlockCompletion {
    BlockCompletion(
      token: request.token, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
      blockCount: request.blockCount, outcome: .notSent, status: .commandAbortedByHost)
  }

  /// Of a request that a device behind another one has not taken, though it had been validated.
  @inline(never) static func refused(_ request: BlockRequest, _ submission: BlockSubmission) -> BlockCompletion {
    var completion = notSent(request)
    guard case .refused(let refusal) = submission, refusal != .closed else { return completion }
    // The device has changed since the request was taken.
    completion.outcome = .deviceError
    completion.status =
      switch refusal {
      case .outOfRange: StatusField(.generic, 0x80, doNotRetry: true)
      case .readOnly: StatusField(.generic, 0x20, doNotRetry: true)
      default: StatusField(.generic, 0x02, doNotRetry: true)
      }
    return completion
  }
}
