import BlockDevice

/// Reads discovery logs, referrals included, and keeps each as it was.
struct DiscoverySurvey {
  /// The log of one discovery service.
  struct Log: Sendable {
    var target: TargetIdentifier
    var depth: Int
    var generationCounter: UInt64
    var entries: [DiscoveryLogEntry]
  }

  /// A service that was referred to, and could not be asked.
  struct Failure: Sendable {
    var target: TargetIdentifier
    var description: String
  }

  struct Result: Sendable {
    /// In the order in which the services were asked; the first is that of the user.
    var logs: [Log] = []
    /// Entries without repetitions, with what can be done with them.
    var records: [DiscoveryRecord] = []
    var failures: [Failure] = []
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
      do throws(ToolError) {
        let controller = try await session.connect(service.target, isDiscovery: true)
        let outcome = await read(controller, service)
        await session.disconnect(controller)
        let log: Log
        do throws(DiscoveryError) { log = try outcome.get() } catch { throw ToolError(error, service.target) }
        result.logs.append(log)
        crawler.handle(service, entries: log.entries)
      } catch {
        if service.depth == 0 { throw error }
        result.failures.append(Failure(target: service.target, description: error.description))
      }
    }
    result.records = crawler.records
    result.skippedReferralCount = followsReferrals ? crawler.skippedReferrals.count : 0
    return result
  }

  private static func read(
    _ controller: Controller, _ service: DiscoveryCrawler.Service
  ) async -> Swift.Result<Log, DiscoveryError> {
    // 64 KiB at once where the controller can, 4 KiB being what every one can.
    let limit = min(controller.snapshot.maximumTransferByteCount ?? 4096, 65_536)
    var reader = DiscoveryLogReader(readByteCount: limit)
    do throws(DiscoveryError) {
      while let read = reader.nextRead() {
        let reply: AdminReply
        do throws(ControllerError) {
          reply = try await controller.admin(read.command, dataInByteCount: read.byteCount)
        } catch { throw .controller(error) }
        try reader.handle(reply.status, data: reply.data)
      }
    } catch { return .failure(error) }
    return .success(
      Log(
        target: service.target, depth: service.depth, generationCounter: reader.generationCounter,
        entries: reader.entries))
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
