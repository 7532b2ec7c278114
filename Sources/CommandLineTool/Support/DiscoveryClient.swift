import BlockDevice

/// Reads discovery logs, referrals included.
struct DiscoveryClient {
  /// The log of one discovery service.
  struct Log: Sendable {
    var target: TargetIdentifier
    var depth: Int
    var generationCounter: UInt64
    var entries: [DiscoveryLogEntry]
  }

  struct Result: Sendable {
    /// In the order in which the services were asked; the first is that of the user.
    var logs: [Log] = []
    /// Entries without repetitions, with what can be done with them.
    var records: [DiscoveryRecord] = []
    var failures: [DiscoveryCrawler.Failure] = []
    var skippedReferralCount = 0
  }

  /// - Throws: ``ToolError`` when the first service cannot be asked; others are among the failures.
  static func run(
    _ start: TargetIdentifier, followsReferrals: Bool, session: inout Session
  ) async throws(ToolError) -> Result {
    var limits = DiscoveryCrawler.Limits()
    if !followsReferrals { limits.depth = 0 }
    var crawler = DiscoveryCrawler(start: start, limits: limits)
    var result = Result()
    while let service = crawler.nextService() {
      let isFirst = service.depth == 0
      do throws(ToolError) {
        let controller = try await session.connect(service.target, isDiscovery: true)
        let log: Log
        do throws(DiscoveryError) {
          log = try await read(controller, service)
        } catch {
          await session.disconnect(controller)
          if isFirst { throw ToolError(error, service.target) }
          crawler.handle(service, error: error)
          continue
        }
        await session.disconnect(controller)
        result.logs.append(log)
        crawler.handle(service, entries: log.entries)
      } catch {
        if isFirst { throw error }
        result.failures.append(
          DiscoveryCrawler.Failure(target: service.target, error: .controller(.unusable(error.description))))
      }
    }
    result.records = crawler.records
    result.failures += crawler.failures
    result.skippedReferralCount = followsReferrals ? crawler.skippedReferrals.count : 0
    return result
  }

  private static func read(
    _ controller: Controller, _ service: DiscoveryCrawler.Service
  ) async throws(DiscoveryError) -> Log {
    let limit = controller.snapshot.maximumTransferByteCount ?? 65_536
    var reader = DiscoveryLogReader(readByteCount: min(limit, 65_536))
    while let read = reader.nextRead() {
      let reply: AdminReply
      do throws(ControllerError) {
        reply = try await controller.admin(read.command, dataInByteCount: read.byteCount)
      } catch { throw .controller(error) }
      try reader.handle(reply.status, data: reply.data)
    }
    return Log(
      target: service.target, depth: service.depth, generationCounter: reader.generationCounter,
      entries: reader.entries)
  }
}

extension ToolError {
  init(_ error: DiscoveryError, _ target: TargetIdentifier) {
    if case .controller(let error) = error {
      self.init(error, target: target.hostAndPort)
    } else {
      self.init(.deviceError, "\(target.hostAndPort): \(error)")
    }
  }
}
