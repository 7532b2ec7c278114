import BlockDevice
import EmbeddedTarget
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct ControllerGroupTests {
  /// A group on a bed's reactor, and what it has told.
  private final class Watched: Sendable {
    private let told = Mutex<[String]>([])
    nonisolated(unsafe) private var storage: ControllerGroup?
    let home: ReactorHandle

    init(_ bed: MultipathBed) async throws {
      home = bed.thread.handle
      let handle = home
      try await home.perform { _ in
        self.storage = ControllerGroup(
          subsystemNQN: MultipathBed.nqn, home: handle, reactor: handle, nameDevice: { "d\($0)" }
        ) { [weak self] event in
          switch event {
          case .deviceAdded(let device): self?.note("+\(device.name)")
          case .deviceRemoved(let device): self?.note("-\(device.name)")
          case .controllerRemoved: self?.note("removed")
          default: break
          }
        }
      }
    }

    private func note(_ text: String) { told.withLock { $0.append(text) } }
    var events: [String] { told.withLock { $0 } }

    func onHome<Value: Sendable>(_ body: @escaping @Sendable (ControllerGroup) -> Value) async throws -> Value {
      try await home.perform { _ in body(self.storage!) }
    }

    var devices: [MultipathBlockDevice] { get async throws { try await onHome(\.devices) } }
    func end() async throws { try await home.perform { _ in self.storage = nil } }
  }

  @Test func devicesFollowTheNamespaces() async throws {
    let bed = try await MultipathBed(namespaces: [1: .memory(byteCount: 1 << 20), 3: .memory(byteCount: 1 << 20)])
    let group = try await Watched(bed)
    for controller in bed.controllers {
      controller.connect()
      try await controller.ready()
      try await group.onHome { $0.attach(controller) }
    }
    #expect(group.events == ["+d1", "+d3"])
    let first = try #require(try await group.devices.first)
    #expect(first.snapshot.paths.count == 2)
    let controllers = bed.controllers
    let path = try await group.onHome { group in group.path(of: first, by: controllers[1]) }
    #expect(path == first.snapshot.paths[1].identifier)
    // Gone from all controllers, and another one in its place.
    try await bed.target.removeNamespace(1, from: MultipathBed.nqn)
    try await eventually { group.events == ["+d1", "+d3", "-d1"] }
    #expect(first.isGone)
    var other = NamespaceConfiguration.memory(byteCount: 1 << 20)
    other.nguid = Array(repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: MultipathBed.nqn)
    try await eventually { group.events.last == "+d1" }
    #expect(try await group.devices.map(\.name) == ["d1", "d3"])
    // One path less, then none.
    try await group.onHome { $0.detach(controllers[0]) }
    #expect(try await group.devices.allSatisfy { $0.snapshot.paths.count == 1 })
    try await group.onHome { $0.detach(controllers[1]) }
    #expect(group.events.suffix(2) == ["-d1", "-d3"])
    try await group.end()
    #expect(try await bed.end() <= 0)
  }

  @Test func aControllerGivenUpTakesItsDevicesAlong() async throws {
    let bed = try await MultipathBed(
      ports: 1,
      host: {
        $0.recovery = try RecoveryTimers(reconnectDelayMilliseconds: 20, controllerLossTimeoutMilliseconds: 60)
      })
    let group = try await Watched(bed)
    let controller = bed.controllers[0]
    try await group.onHome { $0.attach(controller) }
    controller.connect()
    try await eventually { group.events == ["+d1"] }
    try await bed.target.removePort(bed.ports[0].identifier)
    try await eventually { group.events.count == 3 }
    #expect(Set(group.events) == ["+d1", "-d1", "removed"])
    #expect(try await group.devices.isEmpty)
    try await group.end()
    #expect(try await bed.end() <= 0)
  }
}
