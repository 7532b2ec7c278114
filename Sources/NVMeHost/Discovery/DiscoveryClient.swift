public import NVMeProtocol
public import RingReactor

/// Asks discovery services what they know, and follows their referrals, over any transport.
///
/// Any task may use it; nothing blocks. Each service has a connection of its own, closed in good order after its log
/// has been read.
public struct DiscoveryClient: Sendable {
  public var identity: HostIdentity
  /// The reactor that the connections live on.
  public var home: ReactorHandle
  public var limits = DiscoveryCrawler.Limits()
  /// How long each service's connection may take to be made, in milliseconds.
  public var connectTimeoutMilliseconds: UInt32 = 10_000
  /// How long each command may take, in milliseconds.
  public var adminTimeoutMilliseconds: UInt32 = 10_000
  private let makeTransport: @Sendable (TargetIdentifier) -> any Transport

  /// - Parameter makeTransport: makes the transport to a service's address, with the digests it asks for.
  public init(
    identity: HostIdentity, home: ReactorHandle,
    makeTransport: @escaping @Sendable (TargetIdentifier) -> any Transport
  ) {
    self.identity = identity
    self.home = home
    self.makeTransport = makeTransport
  }

  /// Asks `start` and every service that it refers to, one after the other. Services that cannot be asked are among
  /// the result's failures; the others go on.
  ///
  /// - Throws: ``DiscoveryError`` when `start` itself cannot be asked.
  public func discover(from start: TargetIdentifier) async throws(DiscoveryError) -> DiscoveryCrawler {
    var crawler = DiscoveryCrawler(start: start, limits: limits)
    while let service = crawler.nextService() {
      do throws(DiscoveryError) {
        crawler.handle(service, entries: try await readLog(of: service.target))
      } catch {
        if service.depth == 0 { throw error }
        crawler.handle(service, error: error)
      }
    }
    return crawler
  }

  /// Reads one service's log.
  public func readLog(of target: TargetIdentifier) async throws(DiscoveryError) -> [DiscoveryLogEntry] {
    var configuration = ControllerConfiguration(
      subsystemNQN: target.subsystemNQN, hostNQN: target.hostNQN ?? identity.hostNQN,
      hostIdentifier: target.hostIdentifier ?? identity.hostIdentifier)
    configuration.isDiscovery = true
    // A connection this short needs no keep alive.
    configuration.keepAliveTimeoutMilliseconds = target.keepAliveTimeoutMilliseconds ?? 0
    configuration.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    configuration.adminTimeoutMilliseconds = adminTimeoutMilliseconds
    let controller = Controller(transport: makeTransport(target), configuration: configuration, home: home)
    controller.connect()
    let result: Result<[DiscoveryLogEntry], DiscoveryError>
    do throws(ControllerError) {
      try await controller.ready()
      result = await controller.discoveryLog()
    } catch {
      result = .failure(.controller(error))
    }
    await controller.disconnect()
    return try result.get()
  }
}

extension Controller {
  /// Reads the whole discovery log of a discovery controller that is ready; see ``DiscoveryLogReader``.
  public func discoveryLog() async -> Result<[DiscoveryLogEntry], DiscoveryError> {
    let snapshot = snapshot
    // 64 KiB at once where the controller can, 4 KiB being what every one can.
    var reader = DiscoveryLogReader(readByteCount: min(snapshot.maximumTransferByteCount ?? 4096, 1 << 16))
    do throws(DiscoveryError) {
      while let read = reader.nextRead() {
        let reply: AdminReply
        do throws(ControllerError) {
          reply = try await admin(read.command, dataInByteCount: read.byteCount)
        } catch {
          throw .controller(error)
        }
        try reader.handle(reply.status, data: reply.data)
      }
      return .success(reader.entries)
    } catch {
      return .failure(error)
    }
  }
}
