import AllocationCounter
import BlockDevice
import NBDLoopback
import TLS
import TestCertificates

/// The cases, one after the other, on the calling thread.
struct GateRun {
  static let nqn = "nqn.2026-11.io.swift-nvmeof:allocations"
  /// What one more I/O queue pair of this depth may take.
  static let queueDepth = 128
  static let queueByteLimit = 1 << 20

  /// Of the one subsystem.
  let ports: [UInt16]
  let ioCount: Int
  private(set) var failureCount = 0

  init(ports: [UInt16], ioCount: Int) {
    self.ports = ports
    self.ioCount = ioCount
  }

  mutating func run() throws {
    try checkCounter()
    let plain = TCPTransport(host: "127.0.0.1", port: ports[0])
    var options = TCPTransportOptions()
    options.headerDigest = true
    options.dataDigest = true
    try measure(GateCase.all, over: plain)
    try measure(GateCase.digests, over: TCPTransport(host: "127.0.0.1", port: ports[0], options: options))
    try measure(GateCase.instant, over: InstantTransport(admin: plain))
    for spread: MultipathPolicy.Spread in [
      .activePassive, .activeActive(.roundRobin(minimumIO: 1)), .activeActive(.queueDepth), .activeActive(.latency),
    ] {
      print("     \(spread)")
      try measureMultipath(try MultipathPolicy(spread))
    }
    try measureMetered(over: plain)
    try measureServer()
    try measureQueueMemory(over: plain)
    try reportAsync(over: plain)
  }

  /// A gate that counts nothing would always be open.
  private func checkCounter() throws {
    allocation_counter_begin()
    UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 16).deallocate()
    UnsafeMutableRawPointer.allocate(byteCount: 100, alignment: 4096).deallocate()
    let counts = allocation_counter_end()
    guard counts.allocations == 2, counts.frees == 2, counts.allocated_bytes == counts.freed_bytes else {
      throw GateError("the counter of allocations does not count: \(counts)")
    }
  }

  // MARK: Connecting

  private func makeController(_ transport: any Transport, on reactor: Reactor, queueCount: Int) -> Controller {
    var configuration = ControllerConfiguration(
      subsystemNQN: Self.nqn, hostNQN: "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b11",
      hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac3))
    configuration.queueDepth = Self.queueDepth
    configuration.queueCount = queueCount
    // Keep alive commands are not I/O: they would come at any time.
    configuration.keepAliveTimeoutMilliseconds = 0
    return Controller(transport: transport, configuration: configuration, home: reactor.handle)
  }

  private func connect(_ controller: Controller, on reactor: Reactor) throws {
    controller.connect()
    let limit = MonotonicClock.nanoseconds() + 30_000_000_000
    _ = reactor.turn(untilNanoseconds: limit) { controller.condition == .connecting }
    guard case .ready = controller.condition else {
      throw GateError("cannot connect by \(controller.transport): \(controller.condition)")
    }
  }

  private func disconnect(_ controller: Controller, on reactor: Reactor) throws {
    controller.shutdown()
    let limit = MonotonicClock.nanoseconds() + 30_000_000_000
    let isClosed = reactor.turn(untilNanoseconds: limit) {
      if case .closed = controller.condition { false } else { true }
    }
    if !isClosed { throw GateError("the controller did not close: \(controller.condition)") }
  }

  // MARK: The submit/poll face

  private mutating func measure(_ cases: [GateCase], over transport: any Transport) throws {
    let reactor = try Reactor()
    let controller = makeController(transport, on: reactor, queueCount: 1)
    try connect(controller, on: reactor)
    guard let device = controller.blockDevice(namespaceIdentifier: 1) else { throw GateError("no namespace 1") }
    for item in cases { try measure(item, device, reactor) }
    try disconnect(controller, on: reactor)
  }

  private mutating func measureMultipath(_ policy: MultipathPolicy) throws {
    let reactor = try Reactor()
    var configuration = MultipathConfiguration()
    configuration.policy = policy
    let device = MultipathBlockDevice(
      subsystemNQN: Self.nqn, namespaceIdentifier: 1, configuration: configuration, reactor: reactor.handle)
    let controllers = ports.map {
      makeController(TCPTransport(host: "127.0.0.1", port: $0), on: reactor, queueCount: 1)
    }
    for controller in controllers {
      try connect(controller, on: reactor)
      try device.addPath(controller)
    }
    guard device.snapshot.paths.allSatisfy(\.isAccessible) else { throw GateError("\(device.snapshot.paths)") }
    for item in GateCase.multipath { try measure(item, device, reactor) }
    for controller in controllers { try disconnect(controller, on: reactor) }
  }

  /// Counted; then into a histogram as well; then held back by a limit, though a high one.
  private mutating func measureMetered(over transport: any Transport) throws {
    let reactor = try Reactor()
    let controller = makeController(transport, on: reactor, queueCount: 1)
    try connect(controller, on: reactor)
    guard let namespace = controller.blockDevice(namespaceIdentifier: 1) else { throw GateError("no namespace 1") }
    let device = MeteredBlockDevice(namespace)
    print("     metered")
    for item in GateCase.metered { try measure(item, device, reactor) }
    device.enableHistogram(BlockHistogram.Configuration()!)
    print("     metered, with a histogram")
    for item in GateCase.metered { try measure(item, device, reactor) }
    guard device.histogram!.counts.reduce(0, +) > 0 else { throw GateError("the histogram is empty") }
    device.rateLimits = BlockRateLimits(operationsPerSecond: 50_000)
    print("     metered, held back by a rate limit")
    for item in GateCase.metered { try measure(item, device, reactor) }
    guard device.statistics.heldCount > 0 else { throw GateError("no request was held back") }
    try disconnect(controller, on: reactor)
  }

  private mutating func measure(_ item: GateCase, _ device: any BlockDevice, _ reactor: Reactor) throws {
    let load = try GateLoad(item, device: device, reactor: reactor)
    let count = ioCount / item.divisor
    try load.run(count: max(count / 20, 4 * item.depth))
    allocation_counter_begin()
    let outcome = Result { try load.run(count: count) }
    let counts = allocation_counter_end()
    try outcome.get()
    report(item.name, counts, ioCount: count)
    load.close()
  }

  // MARK: The NBD server

  /// Both ends are on this thread, and neither may allocate. OpenSSL 3.0 does, 40 bytes and that several times a record
  /// that it writes, and nobody can keep it from it (WPACKET in do_ssl3_write): that is told, and held against nothing.
  private mutating func measureServer() throws {
    let certificates = TestCertificates()
    let server = try TLSContext(
      TLSConfiguration(
        role: .server, certificateFile: certificates.certificate("server"), keyFile: certificates.key("server")))
    let client = try TLSContext(
      TLSConfiguration(role: .client, authorityFile: certificates.certificate("authority")))
    for policy: WaitPolicy in [.eventDriven, .busyPolling] {
      try measureServer(policy, "NBD, \(policy)", nil)
      try measureServer(policy, "NBD under TLS, \(policy)", (server, client))
    }
  }

  private mutating func measureServer(
    _ policy: WaitPolicy, _ name: String, _ security: (server: TLSContext, client: TLSContext)?
  ) throws {
    let reactor = try Reactor(waitPolicy: policy)
    let device = try MemoryBlockDevice(blockCount: 256, reactor: reactor.handle)
    for isFragmented in [false, true] {
      let loopback = try NBDLoopback(device: device, reactor: reactor, isFragmented: isFragmented, security: security)
      // What is read has been written.
      for isWrite in [true, false] {
        let roundCount = max(ioCount / 4 / NBDLoopback.depth, 1)
        for _ in 0..<max(roundCount / 20, 20) { try loopback.doRound(isWrite: isWrite) }
        allocation_counter_begin()
        let outcome = Result { for _ in 0..<roundCount { try loopback.doRound(isWrite: isWrite) } }
        let counts = allocation_counter_end()
        try outcome.get()
        if !isWrite { try loopback.verify() }
        report(
          "\(name): 4 KiB \(isWrite ? "write" : "read")\(isFragmented ? ", torn" : "")", counts,
          ioCount: roundCount * NBDLoopback.depth)
      }
      try loopback.close()
    }
  }

  private mutating func report(_ name: String, _ counts: allocation_counts, ioCount: Int) {
    report(
      name, isGood: counts.allocations == 0,
      "\(counts.allocations) allocations (\(counts.allocated_bytes) bytes), \(counts.frees) frees, \(ioCount) I/Os")
    if counts.allocations > 0 { allocation_counter_print_first_callers() }
    if counts.library_allocations > 0 {
      let hundredths = Int(counts.library_allocations) * 100 / ioCount
      print("info OpenSSL itself: \(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10) allocations an I/O")
    }
  }

  private mutating func report(_ name: String, isGood: Bool, _ text: String) {
    if !isGood { failureCount += 1 }
    let padding = String(repeating: " ", count: max(1, 46 - name.count))
    print("\(isGood ? "ok  " : "FAIL") \(name)\(padding)\(text)")
  }

  // MARK: Memory

  /// Bytes that connecting leaves allocated on this thread.
  private func connectedByteCount(over transport: any Transport, queueCount: Int) throws -> Int {
    let reactor = try Reactor()
    let controller = makeController(transport, on: reactor, queueCount: queueCount)
    allocation_counter_begin()
    let outcome = Result { try connect(controller, on: reactor) }
    let counts = allocation_counter_end()
    try outcome.get()
    guard controller.snapshot.queueCount == queueCount else {
      throw GateError("\(queueCount) queues wanted, \(controller.snapshot.queueCount) granted")
    }
    try disconnect(controller, on: reactor)
    return Int(counts.allocated_bytes) - Int(counts.freed_bytes)
  }

  private mutating func measureQueueMemory(over transport: any Transport) throws {
    // The first connection also pays for what is made once a process.
    _ = try connectedByteCount(over: transport, queueCount: 1)
    let one = try connectedByteCount(over: transport, queueCount: 1)
    let nine = try connectedByteCount(over: transport, queueCount: 9)
    let each = (nine - one) / 8
    report(
      "memory of an I/O queue pair, depth \(Self.queueDepth)", isGood: each > 0 && each <= Self.queueByteLimit,
      "\(each) bytes, limit \(Self.queueByteLimit) (\(one) with 1 queue, \(nine) with 9)")
  }

  // MARK: The async face

  /// Told, not held against anything: a task and its continuation may allocate.
  private func reportAsync(over transport: any Transport) throws {
    let reactor = try Reactor()
    let controller = makeController(transport, on: reactor, queueCount: 1)
    try connect(controller, on: reactor)
    guard let device = controller.blockDevice(namespaceIdentifier: 1) else { throw GateError("no namespace 1") }
    let count = max(ioCount / 10, 1000)
    let memory = AsyncMemory()
    for isMeasured in [false, true] {
      let done = DoneFlag()
      if isMeasured { allocation_counter_begin() }
      Task(executorPreference: reactor.handle) {
        do {
          for index in 0..<count {
            try await device.perform(
              BlockRequest(
                .read, logicalBlockAddress: UInt64(index % 1000) * 8, blockCount: 8, buffer: memory.buffer))
          }
          done.finish(nil)
        } catch { done.finish("\(error)") }
      }
      _ = reactor.turn { !done.isDone }
      let counts = allocation_counter_end()
      if let failure = done.failure { throw GateError(failure) }
      guard isMeasured else { continue }
      let hundredths = Int(counts.allocations) * 100 / count
      print(
        "info async face, one task on the reactor            \(hundredths / 100).\(hundredths % 100 / 10)\(hundredths % 10)"
          + " allocations an I/O, \(count) I/Os")
    }
    try disconnect(controller, on: reactor)
  }
}
