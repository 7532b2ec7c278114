internal import Glibc
internal import JSONRPC
internal import Logging
internal import RingReactor

/// Makes the daemon what its configuration file says, and the file what the daemon is.
///
/// A call of the file is pending until it has succeeded. Written is what the daemon is and what is pending: at no moment
/// does the file lose what could not be had yet. What fails because something is away for now is tried again until it
/// succeeds, or until a client takes it back.
actor ConfigurationKeeper {
  private struct Pending {
    enum State {
      /// To be made when its phase comes.
      case waiting
      case running
      /// To be tried again.
      case failed
      /// It will never succeed as it is; kept for whoever wrote it.
      case refused
    }

    var call: ConfigurationDocument.Call
    var state = State.waiting
    /// A client has taken it back while it was running.
    var isRevoked = false
  }

  private var path: String?
  /// Held while the file is kept.
  private var lock: FileLock?
  /// Whether the file follows the daemon.
  private let isKept: Bool
  private let sections: [ConfigurationSection]
  private let table: RPCMethodTable
  private let logger: Logger
  private let phase: @Sendable () -> RPCPhase
  private let lookUp: DeviceLookup
  private let executor: ReactorHandle
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private var pending: [Pending] = []
  private var retry: Task<Void, Never>?
  private var written: ConfigurationDocument?
  /// What the file is to say, whether or not it could be written: what is known of devices that go.
  private var wanted: ConfigurationDocument?
  private var saving: Task<Void, Never>?
  private var saveIsWanted = false
  private var isStopped = false
  /// What the file is to say from ``stop()`` on.
  private var ending: ConfigurationDocument?

  /// By the method that takes something back: the one that had brought it, and the parameter that names it.
  private static let opposites: [String: (method: String, key: String)] = [
    "bdev_nvme_detach_controller": ("bdev_nvme_attach_controller", "name"),
    "bdev_nvme_stop_discovery": ("bdev_nvme_start_discovery", "name"),
    "keyring_file_remove_key": ("keyring_file_add_key", "name"),
    "nbd_stop_disk": ("nbd_start_disk", "nbd_device"),
    "nbd_export_stop": ("nbd_export_start", "name"),
  ]

  /// The parameters of an attach that tell its path from others of the name.
  private static let pathKeys = ["name", "trtype", "adrfam", "traddr", "trsvcid", "subnqn", "hostaddr"]

  /// The time between two attempts doubles from the first to the second of these.
  private static let retrySeconds = (first: 1.0, last: 30.0)

  /// Which device has a name, or an alias, now.
  typealias DeviceLookup = @Sendable (_ name: String) -> (name: String, uuid: String)?

  init(
    path: String?, isKept: Bool, sections: [ConfigurationSection], table: RPCMethodTable, logger: Logger,
    phase: @escaping @Sendable () -> RPCPhase, lookUp: @escaping DeviceLookup, executor: ReactorHandle
  ) {
    self.path = path
    self.isKept = isKept
    self.sections = sections
    self.table = table
    self.logger = logger
    self.phase = phase
    self.lookUp = lookUp
    self.executor = executor
  }

  // MARK: From the file

  /// Reads the file, whose calls are pending from then on. One that follows the daemon may be missing, and must be one that
  /// can be written, unless there is one already and the disk is full.
  func load() throws(ConfigurationFileError) {
    path = path.map(ConfigurationFile.resolved)
    if isKept, let path { lock = try Self.lock(path) }
    guard let document = try read(), let path else { return }
    pending = document.calls.map { Pending(call: $0) }
    guard isKept else { return }
    wanted = document
    do throws(ConfigurationFileError) {
      try ConfigurationFile.write(document, path)
      written = document
    } catch {
      // The devices are wanted on a full disk as well.
      guard error.isFullDisk, !document.sections.isEmpty else { throw error }
      logger.error("the configuration cannot be kept for now", metadata: ["error": "\(error)"])
    }
  }

  private static func lock(_ path: String) throws(ConfigurationFileError) -> FileLock {
    do throws(FileLock.Failure) { return try FileLock(besides: path) } catch {
      switch error {
      case .isHeld: throw ConfigurationFileError(path: path, reason: .isKept)
      case .system(let lock, let code):
        throw ConfigurationFileError(path: path, reason: .system(operation: "open of '\(lock)'", errno: code))
      }
    }
  }

  private func read() throws(ConfigurationFileError) -> ConfigurationDocument? {
    guard let path else { return nil }
    if let document = try ConfigurationFile.read(path, isKept: isKept) { return document }
    guard isKept else { throw ConfigurationFileError(path: path, reason: .system(operation: "open", errno: ENOENT)) }
    return ConfigurationDocument(sections: [])
  }

  /// Calls that have not succeeded yet, in the file's order.
  var pendingEntries: [ConfigurationEntry] { pending.map(\.call.entry) }

  /// Makes the pending calls that belong to a phase.
  ///
  /// - Parameter phase: ``RPCPhase/startup``: calls that may be made before the start; ``RPCPhase/runTime``: all that have
  ///   not been made by then.
  func apply(_ phase: RPCPhase) async {
    await make(in: phase) { pending in
      let isEarly = self.table[pending.call.entry.method]?.phase.contains(.startup) ?? false
      return pending.state == .waiting && (isEarly || phase == .runTime)
    }
    guard phase == .runTime else { return }
    retryLater(Self.retrySeconds.first)
    await save()
  }

  /// Reads the file again, and makes those of its calls that are not what the daemon is already, as far as the phase that it
  /// is in allows.
  func applyMissing() async throws(ConfigurationFileError) {
    guard let document = try read() else { return }
    let present = ConfigurationIndex(await current())
    for call in document.calls where !present.has(call.entry) {
      if let index = pending.firstIndex(where: { $0.call == call }) {
        if pending[index].state != .running { pending[index].state = .waiting }
      } else {
        pending.append(Pending(call: call))
      }
    }
    await apply(phase())
  }

  /// Makes pending calls in their order, but those that bring devices, or are about some, side by side: they wait for what
  /// brings theirs alone, so that a target that does not answer holds up no other one.
  private func make(in phase: RPCPhase, where isWanted: (Pending) -> Bool) async {
    var calls: [ConfigurationDocument.Call] = []
    for index in pending.indices where isWanted(pending[index]) {
      pending[index].state = .running
      calls.append(pending[index].call)
    }
    var rest = calls[...]
    while !rest.isEmpty {
      let lanes = ConfigurationLanes(rest)
      rest = rest.dropFirst(lanes.callCount)
      await withTaskGroup(of: Void.self) { group in
        for lane in lanes.calls {
          group.addTask(executorPreference: executor) {
            for call in lane { await self.make(call, in: phase) }
          }
        }
      }
    }
  }

  private func make(_ call: ConfigurationDocument.Call, in phase: RPCPhase) async {
    // The daemon ends: what has not been made stays in the file.
    guard !isStopped else { return }
    // Calls before it took their time: a client may have taken it back meanwhile.
    if isRevoked(call) { return end(call, nil) }
    let entry = call.entry
    if isAboutAnotherDevice(entry) { return end(call, .refused) }
    do throws(RPCError) {
      _ = try await table.call(entry.method, entry.replayedParameters.map { .object($0) }, in: phase)
      logger.info("configured", metadata: ["method": "\(entry.method)", "name": "\(entry.name ?? "")"])
      let isRevoked = isRevoked(call)
      end(call, nil)
      if isRevoked { await undo(entry) }
    } catch {
      let metadata: Logger.Metadata = [
        "method": "\(entry.method)", "name": "\(entry.name ?? "")", "code": "\(error.code)",
        "error": "\(error.message)", "detail": "\(error.detail ?? "")",
      ]
      if await current().entries.contains(where: { $0.says(entry) }) {
        logger.info("is configured already", metadata: metadata)
        end(call, nil)
        return
      }
      let isThere = error.code == -114 || error.code == -1 && isSetting(call, in: phase)
      switch error.code {
      // A name that is taken already; a setting that cannot be changed now. What is there stays as it is.
      case _ where isThere:
        logger.warning("the configuration has another idea of what is there already", metadata: metadata)
        end(call, nil)
      // File exists under another name, not permitted, invalid argument, a key that is missing, what JSON-RPC has of its own.
      case -17, -1, -22, -126, ..<(-32000):
        logger.error("the configuration has a call that fails", metadata: metadata)
        end(call, .refused)
      default:
        logger.warning("a call of the configuration fails for now, and will be tried again", metadata: metadata)
        end(call, .failed)
      }
    }
  }

  /// Whether the device of its name is not the one that it is about: what was meant for that must not be done with this one.
  private func isAboutAnotherDevice(_ entry: ConfigurationEntry) -> Bool {
    guard let uuid = entry.deviceUUID, let name = entry.deviceName, let device = lookUp(name), device.uuid != uuid
    else {
      return false
    }
    logger.error(
      "the configuration is about another device, which had this name: call it for this one, or take it back",
      metadata: [
        "method": "\(entry.method)", "name": "\(entry.name ?? "")", "device": "\(name)", "uuid": "\(device.uuid)",
        "uuid of the configuration": "\(uuid)",
      ])
    return true
  }

  private func isRevoked(_ call: ConfigurationDocument.Call) -> Bool {
    pending.contains { $0.call == call && $0.state == .running && $0.isRevoked }
  }

  /// Takes back what has come about after a client had taken it back.
  private func undo(_ entry: ConfigurationEntry) async {
    guard let (method, opposite) = Self.opposites.first(where: { $0.value.method == entry.method }) else { return }
    let keys = method == "bdev_nvme_detach_controller" ? Self.pathKeys : [opposite.key]
    let parameters = JSONObject(keys.compactMap { key in entry.parameters?[key].map { (key, $0) } })
    do throws(RPCError) {
      _ = try await table.call(method, .object(parameters), in: .runTime)
    } catch {
      logger.warning(
        "what a client has taken back could not be ended",
        metadata: ["method": "\(method)", "name": "\(entry.name ?? "")", "error": "\(error.message)"])
    }
  }

  /// Whether a call sets what can be set at some times only.
  private func isSetting(_ call: ConfigurationDocument.Call, in phase: RPCPhase) -> Bool {
    let method = call.entry.method
    return method.hasSuffix("_set_options") || table[method].map { !$0.phase.contains(phase) } ?? false
  }

  /// - Parameter state: nil: the call is not pending any more.
  private func end(_ call: ConfigurationDocument.Call, _ state: Pending.State?) {
    guard let index = pending.firstIndex(where: { $0.call == call && $0.state == .running }) else { return }
    if let state, !pending[index].isRevoked { pending[index].state = state } else { pending.remove(at: index) }
  }

  private func retryLater(_ seconds: Double) {
    retry?.cancel()
    retry = nil
    guard !isStopped, pending.contains(where: { $0.state == .failed }) else { return }
    retry = Task(executorPreference: executor) {
      try? await Task.sleep(for: .seconds(seconds))
      await self.retryNow(seconds)
    }
  }

  private func retryNow(_ seconds: Double) async {
    guard !Task.isCancelled else { return }
    // Only the time until then can be cut short: an attempt goes on beside others, and arms the next one at its end.
    retry = nil
    // What has come about in another way.
    let present = ConfigurationIndex(await current())
    pending.removeAll { $0.state == .failed && present.has($0.call.entry) }
    await make(in: .runTime) { $0.state == .failed }
    retryLater(min(2 * seconds, Self.retrySeconds.last))
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

  /// A client's call has ended. Returns when the file says what follows from it.
  func noteCall(_ method: String, _ parameters: JSONValue?, _ result: Result<RPCResult, RPCError>) async {
    // What a client takes back is not to come back, whether or not it was there by then.
    if let opposite = Self.opposites[method], let given = parameters?.objectValue, given[opposite.key] != nil {
      let isGone =
        switch result {
        case .success: true
        // No such name, or none of its paths.
        case .failure(let error): [-19, -2, -6].contains(error.code)
        }
      guard isGone else { return }
      let isMeant = { (entry: ConfigurationEntry) in
        entry.method == opposite.method && entry.isMeant(by: given, named: opposite.key)
      }
      let name = given[opposite.key]?.stringValue ?? ""
      ending?.forget(isMeant, of: opposite.method, named: name)
      revoke(isMeant)
      await forgetDevices(of: opposite.method, named: name)
    } else if case .failure = result {
      return
    } else {
      // What a client sets of a device that has come back is not to be set back by what was set before.
      replace(by: ConfigurationEntry(method, parameters?.objectValue))
    }
    await save()
  }

  private func revoke(_ isMeant: (ConfigurationEntry) -> Bool) {
    for index in pending.indices.reversed() where isMeant(pending[index].call.entry) {
      if pending[index].state == .running { pending[index].isRevoked = true } else { pending.remove(at: index) }
    }
  }

  private func replace(by call: ConfigurationEntry) {
    var call = call
    if let name = call.deviceName, let device = lookUp(name) {
      call.deviceUUID = device.uuid
      if call.parameters?["name"] != nil { call.parameters?["name"] = .string(device.name) }
    }
    for index in pending.indices.reversed() {
      let entry = pending[index].call.entry
      let rest = entry.remainder(after: call)
      if rest == entry { continue }
      if let rest {
        var left = Pending(call: pending[index].call, state: .failed)
        left.call.entry = rest
        pending.insert(left, at: index + 1)
      }
      if pending[index].state == .running { pending[index].isRevoked = true } else { pending.remove(at: index) }
    }
  }

  /// What is about devices of a controller that has been taken back, the last of its paths with it, goes as well: it must
  /// not meet another controller of the same name.
  private func forgetDevices(of method: String, named name: String) async {
    let document = await current()
    guard !document.entries.contains(where: { $0.brings(name, by: method) }),
      !pending.contains(where: { !$0.isRevoked && $0.call.entry.brings(name, by: method) })
    else { return }
    revoke { $0.isAboutDevice(of: method, named: name) }
  }

  /// A controller has been given up, its controller loss time-out being over, and no client has wished for that: the file
  /// keeps it, and what is about its devices, and it is attached again when it can be.
  func noteLoss(_ entry: ConfigurationEntry) async {
    guard isKept else { return }
    let name = entry.parameters?["name"]?.stringValue ?? ""
    var calls = (wanted?.calls ?? []).filter { call in
      call.entry == entry || call.entry.isAboutDevice(of: entry.method, named: name)
    }
    // It has been attached since that was put together.
    if !calls.contains(where: { $0.entry == entry }) {
      calls.insert(ConfigurationDocument.Call(section: "bdev", entry: entry), at: 0)
    }
    // Before what is about its devices, which may have gone first.
    let place = pending.firstIndex { $0.call.entry.isAboutDevice(of: entry.method, named: name) } ?? pending.endIndex
    tryAgain(calls, at: place)
    await save()
  }

  /// A device has gone, for whatever reason: its limits, policies and exports with it. The file keeps what is about it, until a
  /// client takes the device back, which the client's call tells afterwards.
  func noteLoss(ofDevice name: String, uuid: String) {
    guard isKept, !isStopped else { return }
    let calls = (wanted?.calls ?? []).filter { call in
      call.entry.deviceName == name && (call.entry.deviceUUID ?? uuid) == uuid
    }
    tryAgain(
      calls.map { call in
        var call = call
        call.entry.deviceUUID = uuid
        return call
      }, at: pending.endIndex)
  }

  private func tryAgain(_ calls: [ConfigurationDocument.Call], at place: Int) {
    let lost = calls.filter { call in
      !pending.contains {
        $0.call.entry.method == call.entry.method && $0.call.entry.parameters == call.entry.parameters
      }
    }
    guard !lost.isEmpty else { return }
    pending.insert(contentsOf: lost.map { Pending(call: $0, state: .failed) }, at: place)
    retryLater(Self.retrySeconds.first)
  }

  private func save() async {
    guard isKept, let path else { return }
    // One at a time; what changes in the meantime is in the next, which the same task writes.
    saveIsWanted = true
    let task = saving ?? Task(executorPreference: executor) { await self.saveWhileWanted(path) }
    saving = task
    await task.value
  }

  private func saveWhileWanted(_ path: String) async {
    while saveIsWanted { await saveOnce(path) }
    saving = nil
  }

  private func saveOnce(_ path: String) async {
    saveIsWanted = false
    let complete: ConfigurationDocument
    if let ending { complete = ending } else { complete = await currentAndPending() }
    wanted = complete
    if complete == written { return }
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

  private func currentAndPending() async -> ConfigurationDocument {
    var document = await current()
    let present = ConfigurationIndex(document)
    for call in pending.filter({ !$0.isRevoked }).map(\.call) where !present.has(call.entry) {
      if let index = document.sections.firstIndex(where: { $0.name == call.section }) {
        document.sections[index].entries.append(call.entry)
      } else {
        document.sections.append(.init(name: call.section, entries: [call.entry]))
      }
    }
    if let wanted { document.keepOrder(of: wanted) }
    return document
  }

  /// No more attempts. The daemon is taken apart from then on, so that what it is says nothing of what it is to be: the file
  /// loses what clients take back, and nothing else.
  func stop() async {
    isStopped = true
    retry?.cancel()
    retry = nil
    // What is wanted by now is what the daemon still is.
    while let saving { await saving.value }
    ending = wanted
    // Of a file that was never kept nothing is known.
    if wanted == nil { path = nil }
  }

  /// Nothing is written any more.
  func close() async {
    await saving?.value
    path = nil
    lock = nil
  }
}
