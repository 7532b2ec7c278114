import Glibc
import JSONRPC
import RingReactor
import Synchronization
import TestSupport

@testable import Daemon

/// A keeper of a temporary file, over methods that do what a test says, and a daemon that is what it says.
final class KeeperBed: Sendable {
  typealias Action = @Sendable (_ call: String) async throws(RPCError) -> Void

  private struct State {
    var entries: [ConfigurationEntry] = []
    var calls: [String] = []
    var phase = RPCPhase.runTime
    var devices: [String: String] = [:]
  }

  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  let keeper: ConfigurationKeeper
  let control: ReactorThread
  let log = LogRecorder()
  private let path: String
  private let shared = Shared()

  private static let number = Atomic<Int>(0)

  /// - Parameters:
  ///   - entries: what the file has.
  ///   - action: carries out a call, which is told as ``text(of:)`` does.
  init(
    _ entries: [ConfigurationEntry], isKept: Bool = true, _ action: @escaping Action = { _ throws(RPCError) in }
  ) async throws {
    path = "/tmp/nvmeofd-keeper-\(getpid())-\(Self.number.wrappingAdd(1, ordering: .relaxed).newValue)"
    control = try ReactorThread(waitPolicy: .eventDriven)
    let shared = shared
    func method(_ name: String, phase: RPCPhase = .runTime) -> RPCMethod {
      RPCMethod(
        name, phase: phase,
        decode: { parameters throws(RPCParameterError) in
          defer { parameters.skip() }
          var members = JSONObject()
          for key in ["bdev_name", "name", "wait_for_attach", "attach_timeout_ms"] {
            members[key] = try parameters.optional(key, as: JSONValue.self)
          }
          return Self.text(of: ConfigurationEntry(name, members))
        },
        body: { call async throws(RPCError) in
          shared.state.withLock { $0.calls.append(call) }
          try await action(call)
          return true
        })
    }
    let table = RPCMethodTable([
      method("attach_early", phase: [.startup, .runTime]),
      method("bdev_nvme_attach_controller"), method("bdev_nvme_detach_controller"),
      method("bdev_nvme_start_discovery"), method("bdev_set_qos_limit"), method("nbd_export_start"),
    ])
    let section = ConfigurationSection("bdev") { shared.state.withLock { $0.entries } }
    keeper = ConfigurationKeeper(
      path: path, isKept: isKept, sections: [section], table: table, logger: log.logger(),
      phase: { shared.state.withLock { $0.phase } },
      lookUp: { name in
        shared.state.withLock { state in
          state.devices.first { $0.key == name || $0.value == name }.map { (name: $0.key, uuid: $0.value) }
        }
      }, executor: control.handle)
    try ConfigurationFile.write(ConfigurationDocument(sections: [.init(name: "bdev", entries: entries)]), path)
    try await keeper.load()
  }

  /// What the daemon is.
  var entries: [ConfigurationEntry] {
    get { shared.state.withLock { $0.entries } }
    set { shared.state.withLock { $0.entries = newValue } }
  }

  var phase: RPCPhase {
    get { shared.state.withLock { $0.phase } }
    set { shared.state.withLock { $0.phase = newValue } }
  }

  /// The devices that there are: UUIDs by name.
  var devices: [String: String] {
    get { shared.state.withLock { $0.devices } }
    set { shared.state.withLock { $0.devices = newValue } }
  }

  /// Where the file is to be made, there is a folder.
  func blockFile() throws {
    if mkdir(path + ".new", 0o700) != 0 { throw POSIXFailure(code: errno) }
  }

  func unblockFile() { rmdir(path + ".new") }

  struct POSIXFailure: Error { var code: Int32 }

  /// The calls made so far.
  var calls: [String] { shared.state.withLock { $0.calls } }

  /// What the file has.
  func kept() throws -> [String] { try document().entries.map(Self.text) }

  func document() throws -> ConfigurationDocument {
    try ConfigurationFile.read(path, isKept: true) ?? ConfigurationDocument(sections: [])
  }

  /// A client's call has ended so; nil: well.
  func client(_ method: String, _ parameters: JSONObject? = nil, _ error: RPCError? = nil) async {
    await keeper.noteCall(
      method, parameters.map { .object($0) }, error.map { .failure($0) } ?? .success(.value(true)))
  }

  /// The method, what it is about, and whether it is told to wait.
  static func text(of entry: ConfigurationEntry) -> String {
    let waits = entry.parameters?["wait_for_attach"] != nil || entry.parameters?["attach_timeout_ms"] != nil
    return "\(entry.method) \(entry.deviceName ?? entry.name ?? "")" + (waits ? " waits" : "")
  }

  func end() async {
    await keeper.stop()
    await keeper.close()
    control.stop()
    unlink(path)
  }
}
