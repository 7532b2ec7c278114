internal import JSONRPC
internal import Logging
internal import RingReactor

/// Makes the daemon what its configuration file says, and the file what the daemon is.
///
/// At start the file's calls are made in their order. What fails because a target cannot be reached just now is tried
/// again until it succeeds or a client takes it back; until then it stays in the file.
actor ConfigurationKeeper {
  private let path: String?
  /// Whether the file follows the daemon.
  private let isKept: Bool
  private let sections: [ConfigurationSection]
  private let table: RPCMethodTable
  private let logger: Logger
  private let executor: ReactorHandle
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Calls that are still to succeed.
  private var pending: [(section: String, entry: ConfigurationEntry)] = []
  private var retry: Task<Void, Never>?
  private var written: ConfigurationDocument?
  private var isApplying = false
  private var saving: Task<Void, Never>?
  private var saveIsWanted = false

  /// The time between two attempts doubles from the first to the second of these.
  private static let retrySeconds = (first: 1.0, last: 30.0)

  init(
    path: String?, isKept: Bool, sections: [ConfigurationSection], table: RPCMethodTable, logger: Logger,
    executor: ReactorHandle
  ) {
    self.path = path
    self.isKept = isKept
    self.sections = sections
    self.table = table
    self.logger = logger
    self.executor = executor
  }

  // MARK: From the file

  /// Makes the file's calls that belong to a phase. A file that is not there is an empty one.
  ///
  /// - Parameter phase: ``RPCPhase/startup``: calls that may be made before the start; ``RPCPhase/runTime``: the others.
  func apply(_ phase: RPCPhase) async throws(ConfigurationFileError) {
    guard let path, let document = try ConfigurationFile.read(path) else { return }
    isApplying = true
    for section in document.sections {
      for entry in section.entries {
        let isEarly = table[entry.method]?.phase.contains(.startup) ?? false
        guard isEarly == (phase == .startup) else { continue }
        await make(entry, section.name, in: phase)
      }
    }
    isApplying = false
    if phase == .runTime {
      if !pending.isEmpty { retryLater(Self.retrySeconds.first) }
      await save()
    }
  }

  /// Makes those of the file's calls that are not what the daemon is already.
  func applyMissing() async throws(ConfigurationFileError) {
    guard let path, let document = try ConfigurationFile.read(path) else { return }
    let present = Set(await current().entries)
    isApplying = true
    for section in document.sections {
      for entry in section.entries where !present.contains(entry) {
        pending.removeAll { $0.entry == entry }
        await make(entry, section.name, in: .runTime)
      }
    }
    isApplying = false
    if !pending.isEmpty { retryLater(Self.retrySeconds.first) }
    await save()
  }

  private func make(_ entry: ConfigurationEntry, _ section: String, in phase: RPCPhase) async {
    do throws(RPCError) {
      _ = try await table.call(entry.method, entry.parameters.map { .object($0) }, in: phase)
      logger.info("configured", metadata: ["method": "\(entry.method)", "name": "\(entry.name ?? "")"])
    } catch {
      let metadata: Logger.Metadata = [
        "method": "\(entry.method)", "name": "\(entry.name ?? "")", "code": "\(error.code)",
        "error": "\(error.message)", "detail": "\(error.detail ?? "")",
      ]
      switch Outcome(error) {
      case .isThere: logger.debug("is configured already", metadata: metadata)
      case .wrong: logger.error("the configuration has a call that fails", metadata: metadata)
      case .later:
        logger.warning("a call of the configuration fails for now, and will be tried again", metadata: metadata)
        pending.append((section, entry))
      }
    }
  }

  private enum Outcome {
    case isThere
    /// It will never succeed as it is.
    case wrong
    case later

    init(_ error: RPCError) {
      switch error.code {
      // File exists, Operation already in progress.
      case -17, -114: self = .isThere
      // Invalid argument, wrong state, what JSON-RPC has of its own; a key that is missing.
      case -22, -1, -126, ..<(-32000): self = .wrong
      default: self = .later
      }
    }
  }

  private func retryLater(_ seconds: Double) {
    retry?.cancel()
    retry = Task(executorPreference: executor) {
      try? await Task.sleep(for: .seconds(seconds))
      guard !Task.isCancelled else { return }
      await self.retryNow(seconds)
    }
  }

  private func retryNow(_ seconds: Double) async {
    let calls = pending
    pending = []
    for call in calls { await make(call.entry, call.section, in: .runTime) }
    if !pending.isEmpty { retryLater(min(2 * seconds, Self.retrySeconds.last)) }
    await save()
  }

  // MARK: To the file

  /// What the daemon is now.
  func current() async -> ConfigurationDocument {
    var document = ConfigurationDocument(sections: [])
    for section in sections {
      document.sections.append(.init(name: section.name, entries: await section.entries()))
    }
    return document
  }

  /// A client has changed something. Returns when the file says so.
  func noteChange(_ method: String, _ parameters: JSONValue?) async {
    // What a client detaches is not to come back.
    if method.contains("detach") || method.contains("stop_discovery"), let name = parameters?["name"] {
      pending.removeAll { $0.entry.parameters?["name"] == name }
    }
    guard isKept, !isApplying, !method.contains("_get_"), !method.hasPrefix("rpc_"), !method.hasPrefix("log_") else {
      return
    }
    await save()
  }

  private func save() async {
    guard isKept, let path else { return }
    // One at a time; what changes in the meantime is in the next, which the same task writes.
    saveIsWanted = true
    let task =
      saving
      ?? Task(executorPreference: executor) {
        while self.saveIsWanted { await self.saveOnce(path) }
        self.saving = nil
      }
    saving = task
    await task.value
  }

  private func saveOnce(_ path: String) async {
    saveIsWanted = false
    var document = await current()
    for call in pending {
      if let index = document.sections.firstIndex(where: { $0.name == call.section }) {
        document.sections[index].entries.append(call.entry)
      } else {
        document.sections.append(.init(name: call.section, entries: [call.entry]))
      }
    }
    if document == written { return }
    // The disk may take its time: not on this thread.
    let result = await Task.detached { () -> Result<Void, ConfigurationFileError> in
      do throws(ConfigurationFileError) { return .success(try ConfigurationFile.write(document, path)) } catch {
        return .failure(error)
      }
    }.value
    switch result {
    case .success: written = document
    case .failure(let error): logger.error("the configuration could not be kept", metadata: ["error": "\(error)"])
    }
  }

  /// No more attempts.
  func stop() {
    retry?.cancel()
    retry = nil
  }
}

extension ConfigurationEntry {
  /// What the call is about, for the log.
  fileprivate var name: String? { parameters?["name"]?.stringValue ?? parameters?["bdev_name"]?.stringValue }
}
