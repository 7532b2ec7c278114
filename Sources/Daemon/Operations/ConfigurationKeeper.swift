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
  private var pending: [ConfigurationDocument.Call] = []
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

  /// Looks whether the file can be read, without doing what it says.
  func check() throws(ConfigurationFileError) {
    if let path { _ = try ConfigurationFile.read(path) }
  }

  /// Makes the file's calls that belong to a phase. A file that is not there is an empty one.
  ///
  /// - Parameter phase: ``RPCPhase/startup``: calls that may be made before the start; ``RPCPhase/runTime``: the others.
  func apply(_ phase: RPCPhase) async throws(ConfigurationFileError) {
    guard let path, let document = try ConfigurationFile.read(path) else { return }
    await make(
      document.calls.filter { call in
        let isEarly = table[call.entry.method]?.phase.contains(.startup) ?? false
        return isEarly == (phase == .startup)
      }, in: phase)
    if phase == .runTime {
      if !pending.isEmpty { retryLater(Self.retrySeconds.first) }
      await save()
    }
  }

  /// Makes those of the file's calls that are not what the daemon is already.
  func applyMissing() async throws(ConfigurationFileError) {
    guard let path, let document = try ConfigurationFile.read(path) else { return }
    let present = Set(await current().entries)
    let calls = document.calls.filter { !present.contains($0.entry) }
    pending.removeAll { call in calls.contains { $0.entry == call.entry } }
    await make(calls, in: .runTime)
    if !pending.isEmpty { retryLater(Self.retrySeconds.first) }
    await save()
  }

  /// Makes calls in their order. Those of one method that follow upon each other run side by side when they are about
  /// different names, so that a target that does not answer holds up no other one.
  private func make(_ calls: [ConfigurationDocument.Call], in phase: RPCPhase) async {
    isApplying = true
    var rest = calls[...]
    while let first = rest.first {
      let group = rest.prefix { $0.entry.method == first.entry.method }
      rest = rest.dropFirst(group.count)
      var lanes: [[ConfigurationDocument.Call]] = []
      var places: [String: Int] = [:]
      for call in group {
        let name = call.entry.name ?? ""
        if let place = places[name] {
          lanes[place].append(call)
        } else {
          places[name] = lanes.count
          lanes.append([call])
        }
      }
      await withTaskGroup(of: Void.self) { group in
        for lane in lanes {
          group.addTask(executorPreference: executor) {
            for call in lane { await self.make(call.entry, call.section, in: phase) }
          }
        }
      }
    }
    isApplying = false
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
        pending.append(.init(section: section, entry: entry))
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
    await make(calls, in: .runTime)
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
      ?? Task(executorPreference: executor) { await self.saveWhileWanted(path) }
    saving = task
    await task.value
  }

  private func saveWhileWanted(_ path: String) async {
    while saveIsWanted { await saveOnce(path) }
    saving = nil
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
    let complete = document
    // The disk may take its time: not on this thread.
    let result = await Task.detached { () -> Result<Void, ConfigurationFileError> in
      do throws(ConfigurationFileError) { return .success(try ConfigurationFile.write(complete, path)) } catch {
        return .failure(error)
      }
    }.value
    switch result {
    case .success: written = complete
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
