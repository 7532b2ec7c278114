import BlockDevice
import BlockExport
import Synchronization
import Testing

/// Exports and their table.
@Suite struct ExportTests {
  /// A device that changes as told.
  private final class ChangingDevice: BlockDevice {
    let name = "changing"
    let asyncFace: AsyncFace
    var reactor: ReactorHandle { asyncFace.reactor }
    let state: Mutex<(geometry: BlockGeometry, capabilities: BlockCapabilities)>
    var geometry: BlockGeometry { state.withLock { $0.geometry } }
    var capabilities: BlockCapabilities { state.withLock { $0.capabilities } }

    init(_ geometry: BlockGeometry, reactor: ReactorHandle) {
      asyncFace = AsyncFace(reactor: reactor)
      state = Mutex((geometry, [.write, .discard, .writeZeroes, .forceUnitAccess]))
    }

    func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel { throw .closed }
  }

  private final class Log<Event: Sendable>: Sendable {
    private let entries = Mutex<[Event]>([])
    func add(_ event: Event) { entries.withLock { $0.append(event) } }
    var all: [Event] { entries.withLock { $0 } }
  }

  private let thread: ReactorThread
  private let device: ChangingDevice

  init() throws {
    thread = try ReactorThread()
    device = ChangingDevice(BlockGeometry(blockByteCount: 512, blockCount: 1000), reactor: thread.handle)
  }

  private func export(_ name: String, _ change: (inout ExportConfiguration) -> Void = { _ in }) throws -> Export {
    var configuration = ExportConfiguration(name: name)
    change(&configuration)
    return try Export(device: device, configuration: configuration)
  }

  @Test func limits() throws {
    let limits = try export("a").limits
    #expect(limits.byteCount == 512_000)
    #expect(limits.preferredByteCount == 4096)
    #expect(limits.maximumTransferByteCount == 32 << 20)
    #expect(!limits.isReadOnly)
    let frozen = try export("b") { $0.isReadOnly = true }.limits
    #expect(frozen.isReadOnly)
    #expect(frozen.capabilities == [.forceUnitAccess])
    device.state.withLock { $0.geometry.maximumRequestByteCount = 100_000 }
    #expect(try export("c").limits.maximumTransferByteCount == 99_840)
  }

  @Test func invalidConfigurations() throws {
    func field(_ change: (inout ExportConfiguration) -> Void) -> String? {
      do { _ = try export("a", change) } catch { return (error as? ExportError)?.field }
      return nil
    }
    #expect(field { $0.name = String(repeating: "x", count: 4097) } == "name")
    #expect(field { $0.name = "a\0b" } == "name")
    #expect(field { $0.description = "\0" } == "description")
    #expect(field { $0.maximumTransferByteCount = 1 } == "maximumTransferByteCount")
    #expect(field { $0.maximumTransferByteCount = .max } == "maximumTransferByteCount")
    #expect(field { $0.name = String(repeating: "x", count: 4096) } == nil)
    device.state.withLock { $0.geometry.blockByteCount = 520 }
    #expect(field { _ in } == "device")
  }

  @Test func resizeIsTold() throws {
    let export = try export("a")
    let log = Log<ExportEvent>()
    let client = export.attach(ExportClient(backEnd: "test", peer: "me")) { log.add($0) }
    export.refresh()
    #expect(log.all.isEmpty)
    device.state.withLock { $0.geometry.blockCount = 2000 }
    export.refresh()
    #expect(log.all == [.limitsChanged(export.limits)])
    #expect(export.limits.blockCount == 2000)
    // Another block size is another device.
    device.state.withLock { $0.geometry.blockByteCount = 4096 }
    export.refresh()
    #expect(log.all.last == .ended(.deviceGone))
    #expect(export.limits.blockByteCount == 512)
    export.detach(try #require(client))
  }

  /// Several tell of a change at the same time: the last one counts, not who is last to say so.
  @Test func resizesAtTheSameTime() async throws {
    let export = try export("a")
    let device = device
    for round in 0..<2000 {
      await withTaskGroup { group in
        for number in 1...2 {
          group.addTask {
            device.state.withLock { $0.geometry.blockCount = UInt64(1000 + 2 * round + number) }
            export.refresh()
          }
        }
      }
      #expect(export.limits.blockCount == device.geometry.blockCount)
    }
  }

  @Test func theEnd() async throws {
    let export = try export("a")
    let log = Log<ExportEvent>()
    let first = try #require(export.attach(ExportClient(backEnd: "test", peer: "1")) { log.add($0) })
    let second = try #require(export.attach(ExportClient(backEnd: "test", peer: "2")) { log.add($0) })
    #expect(export.clients.map(\.peer) == ["1", "2"])
    export.end(.removed)
    export.end(.deviceGone)
    #expect(log.all == [.ended(.removed), .ended(.removed)])
    #expect(export.endReason == .removed)
    #expect(export.attach(ExportClient(backEnd: "test", peer: "3")) { _ in } == nil)
    let order = Log<String>()
    async let end: Void = {
      await export.drained()
      order.add("drained")
    }()
    export.detach(first)
    export.detach(first)
    order.add("last client")
    export.detach(second)
    await end
    #expect(order.all == ["last client", "drained"])
    await export.drained()
  }

  /// After a restart the default one may come later than others.
  @Test func theDefaultCanBeReserved() throws {
    let table = ExportTable()
    table.reserveDefault("a")
    try table.add(try export("b"))
    #expect(table[""] == nil)
    let a = try export("a")
    try table.add(a)
    #expect(table[""] === a)
    // Once there has been one no other takes its place.
    table.reserveDefault("b")
    #expect(table[""] === a)
  }

  @Test func table() async throws {
    let table = ExportTable()
    let log = Log<String>()
    let observer = table.addObserver { event in
      switch event {
      case .added(let export): log.add("+\(export.name)")
      case .changed(let export, let limits): log.add("\(export.name)=\(limits.blockCount)")
      case .removed(let export, let reason): log.add("-\(export.name) \(reason)")
      }
    }
    #expect(table[""] == nil)
    let a = try export("a")
    try table.add(a)
    try table.add(try export("b"))
    #expect(throws: ExportError.self) { try table.add(try export("a")) }
    #expect(table[""] === a)
    #expect(table["a"] === a)
    #expect(table["c"] == nil)
    device.state.withLock { $0.geometry.blockCount = 7 }
    a.refresh()
    #expect(table.remove(name: "a") === a)
    #expect(table.remove(name: "a") == nil)
    // The default is no other because it has gone, and it again when one of its name comes back.
    #expect(table[""] == nil)
    let again = try export("a")
    try table.add(again)
    #expect(table[""] === again)
    again.end(.removed)
    table["b"]?.end(.deviceGone)
    // One that has ended before.
    #expect(throws: ExportError(field: "device", value: "changing", rule: "the export has ended: removed")) {
      try table.add(a)
    }
    #expect(table.exports.isEmpty)
    #expect(log.all == ["+a", "+b", "a=7", "-a removed", "+a", "-a removed", "-b deviceGone"])
    table.removeObserver(observer)
    try table.add(try export("z"))
    await table.removeAll(reason: .shutdown)
    #expect(log.all.count == 7)
    #expect(table.exports.isEmpty)
  }
}
