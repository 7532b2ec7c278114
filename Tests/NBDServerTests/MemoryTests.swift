import CMemoryUse
import Glibc
import NBDProtocol
@testable import NBDServer
import RingReactor
import Synchronization
import TestSupport
import Testing

/// Memory that clients share.
@Suite(.serialized) struct MemoryTests {
  /// Hundreds of clients that want as much as they can get have of it what there is, and no more; each of their requests is
  /// carried out in the end.
  @Test func greedyClients() async throws {
    var budget = NBDBudgetConfiguration()
    budget.memoryByteCount = 16 << 20
    budget.keptBufferByteCount = 0
    let scene = try await ServerTests.Scene(budget: budget) {
      $0.borrowingTimeoutMilliseconds = 600_000
    }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let before = memory_use_allocated_bytes()
    // 200 of 2 MiB would be 400 MiB.
    nonisolated(unsafe) let clients = try (0..<200).map { _ in
      let client = try TestClient(scene.address)
      try client.go()
      // Reads: those of a device that has them would have their memory.
      for index in 0..<8 { try client.request(.read, offset: UInt64(index) << 18, length: 256 << 10) }
      return client
    }
    let bound = budget.memoryByteCount + 200 * (128 << 10)
    // As much as goes is with the device: what is left of it is too little for a request.
    try await eventually { try await scene.server.budget.lentByteCount() > budget.memoryByteCount - (256 << 10) }
    #expect(try await scene.server.budget.lentByteCount() <= bound)
    // Beside that a connection has its tables and its buffer for input.
    let used = Int(memory_use_allocated_bytes()) - Int(before)
    #expect(used < bound + 200 * (512 << 10), "\(used)")
    let wholeCount = Atomic<Int>(-1)
    let reader = TestThread {
      // Whoever has something is read from: answers that are not fetched keep the memory that others wait for.
      var left = clients.map { _ in 8 }
      var count = 0
      while left.contains(where: { $0 > 0 }) {
        for (index, client) in clients.enumerated() where left[index] > 0 {
          var state = pollfd(fd: client.descriptor, events: Int16(POLLIN), revents: 0)
          guard poll(&state, 1, 0) > 0 else { continue }
          left[index] -= 1
          if (try? client.reply()?.data.count) == 256 << 10 { count += 1 }
        }
      }
      wholeCount.store(count, ordering: .releasing)
    }
    while wholeCount.load(ordering: .acquiring) < 0 {
      try await device.release()
      #expect(try await scene.server.budget.lentByteCount() <= bound)
      try await Task.sleep(for: .milliseconds(1))
    }
    reader.join()
    #expect(wholeCount.load(ordering: .relaxed) == 200 * 8)
    for client in clients { client.hangUp() }
    #expect(try await scene.end() == 0)
    #expect(scene.server.budget.connectionCount == 0)
  }

  /// Clients that take all that is shared and then do nothing: others go on with what they have for themselves, and get the
  /// rest once the idle ones have been cut off.
  @Test func idleClientsAreCutOff() async throws {
    var budget = NBDBudgetConfiguration()
    budget.memoryByteCount = 4 << 20
    let scene = try await ServerTests.Scene(budget: budget) { $0.borrowingTimeoutMilliseconds = 200 }
    try scene.add(scene.memory())
    let idle = try (0..<4).map { _ in
      let client = try TestClient(scene.address)
      try client.go()
      // The header of a write, and nothing of what it is to write.
      try client.request(.write, length: 1 << 20)
      return client
    }
    let client = try TestClient(scene.address)
    try client.go()
    let data = pattern(1 << 20, seed: 1)
    try client.write(at: 0, Array(data[..<(128 << 10)]))
    try client.write(at: 1 << 20, data)
    #expect(try client.read(at: 1 << 20, 1 << 20) == data)
    #expect(try idle[0].receive(1) == nil)
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// A look's finding counts when it is the same at three in a row; a moment between a slow device's answer and the client
  /// that fetches it is none.
  @Test func idleBorrowersAreFoundSoThrice() {
    struct Look {
      var borrowed = 1000
      var isDeviceBusy = false
      var moved: UInt64 = 0
    }
    func verdicts(_ looks: [Look]) -> [Bool] {
      var watch = NBDBorrowerWatch()
      return looks.map {
        watch.look(borrowedByteCount: $0.borrowed, isDeviceBusy: $0.isDeviceBusy, movedByteCount: $0.moved)
      }
    }
    let (idle, busy) = (Look(), Look(isDeviceBusy: true))
    #expect(verdicts([idle, idle, idle]) == [false, false, true])
    #expect(verdicts([busy, busy, idle, idle, idle]) == [false, false, false, false, true])
    // Its device was slow, and it fetches the answer.
    #expect(verdicts([busy, idle, Look(borrowed: 0, moved: 1000), idle, idle]).allSatisfy { !$0 })
    #expect(verdicts([idle, busy, idle, idle, busy, idle, idle]).allSatisfy { !$0 })
    // It need not move as much in each half of the time.
    #expect(verdicts([idle, Look(moved: 500), Look(moved: 1000)]) == [false, false, false])
    #expect(verdicts([idle, Look(moved: 500), Look(moved: 999)]) == [false, false, true])
    var watch = NBDBorrowerWatch()
    for _ in 0..<6 {
      let isToGo = watch.look(borrowedByteCount: 1, isDeviceBusy: false, movedByteCount: 0)
      #expect(!isToGo)
      watch.forget()
    }
  }

  /// Idle clients of which nobody wants anything stay.
  @Test func idleClientsStayWhereNobodyWaits() async throws {
    var budget = NBDBudgetConfiguration()
    budget.memoryByteCount = 4 << 20
    let scene = try await ServerTests.Scene(budget: budget) { $0.borrowingTimeoutMilliseconds = 1 }
    try scene.add(scene.memory())
    let idle = try TestClient(scene.address)
    try idle.go()
    try idle.request(.write, length: 1 << 20)
    let client = try TestClient(scene.address)
    try client.go()
    let data = pattern(1 << 20, seed: 1)
    for _ in 0..<10 {
      try client.write(at: 1 << 20, data)
      try await Task.sleep(for: .milliseconds(2))
    }
    try idle.send(data)
    #expect(try idle.reply()?.error == 0)
    #expect(try client.read(at: 0, 1 << 20) == data)
    client.hangUp()
    idle.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// The servers of a process share connections and memory.
  @Test func serversShareABudget() async throws {
    var budget = NBDBudgetConfiguration()
    budget.maximumConnectionCount = 2
    let scene = try await ServerTests.Scene(budget: budget)
    try scene.add(scene.memory())
    let other = NBDServer(exports: scene.table, budget: scene.server.budget)
    let path = "/tmp/swift-nvmeof-nbd-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    let address = try await other.listen(on: SocketAddress(unixPath: path)!)
    let clients = try [scene.address, address].map { address in
      let client = try TestClient(address)
      try client.go()
      return client
    }
    let third = try TestClient(address)
    #expect(try third.receive(1) == nil)
    clients[0].hangUp()
    try await eventually { scene.server.budget.connectionCount == 1 }
    try TestClient(address).go()
    clients[1].hangUp()
    await other.stop()
    #expect(try await scene.end() == 0)
  }
}
