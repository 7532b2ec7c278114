import BlockDevice
import Glibc
import TestSupport
import Testing

/// The devices that need no network: memory and files, over both faces.
@Suite(.timeLimit(.minutes(1)))
struct LocalBlockDeviceTests {
  private func temporaryPath() -> String { "/tmp/swift-nvmeof-test-\(getpid())-\(UInt64.random(in: 0 ... .max))" }

  /// What every block device must do.
  private func exercise(_ device: any BlockDevice) async throws {
    let blockByteCount = Int(device.geometry.blockByteCount)
    for count in [1, 3, 16] {
      let bytes = pattern(count * blockByteCount, seed: UInt64(count))
      try await device.write(at: 2, bytes, options: .forceUnitAccess)
      #expect(try await device.read(at: 2, blockCount: UInt32(count)) == bytes)
    }
    try await device.flush()
    try await device.writeZeroes(at: 3, blockCount: 2)
    #expect(try await device.read(at: 3, blockCount: 2) == [UInt8](repeating: 0, count: 2 * blockByteCount))
    try await device.discard(at: 0, blockCount: 16)
    let end = device.geometry.blockCount
    let error = await #expect(throws: BlockError.self) { _ = try await device.read(at: end - 1, blockCount: 2) }
    #expect(error?.cause == .refused(.outOfRange))
  }

  /// A request that ends within `submit` is there to be polled after one turn, which must not sleep for it: with
  /// nothing else to do, a turn that sleeps handles nothing.
  @Test
  func `A turn does not sleep over what has ended`() throws {
    let reactor = try Reactor()
    let device = try MemoryBlockDevice(blockCount: 16, reactor: reactor.handle)
    let channel = try device.openChannel(on: reactor, queueDepth: 1)
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 1)
    defer { completions.deallocate() }
    #expect(channel.submit(BlockRequest(.flush)) == .accepted)
    #expect(reactor.turn(.atMost(nanoseconds: 1_000_000_000)) > 0)
    #expect(channel.poll(into: completions) == 1)
    channel.close()
  }

  /// Also once the channel has been closed, and after its reactor.
  @Test
  func `A turn does not sleep over what is left of a closed channel`() throws {
    var reactor: Reactor? = try Reactor()
    let device = try MemoryBlockDevice(blockCount: 16, reactor: reactor!.handle)
    let channel = try device.openChannel(on: reactor!, queueDepth: 4)
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 1)
    defer { completions.deallocate() }
    for _ in 0..<4 { #expect(channel.submit(BlockRequest(.flush)) == .accepted) }
    channel.close()
    // All that there was to be done.
    while reactor!.turn(.none) > 0 {}
    for _ in 0..<2 {
      #expect(channel.poll(into: completions) == 1)
      #expect(reactor!.turn(.atMost(nanoseconds: 1_000_000_000)) > 0)
    }
    reactor = nil
    #expect(channel.poll(into: completions) == 1)
    #expect(channel.poll(into: completions) == 1)
    #expect(channel.outstandingCount == 0)
  }

  @Test
  func `Memory`() async throws {
    let thread = try ReactorThread()
    let device = try MemoryBlockDevice(blockCount: 256, reactor: thread.handle)
    try await exercise(device)
    try await device.write(at: 0, [UInt8](repeating: 7, count: 4096))
    try await device.compare(at: 0, [UInt8](repeating: 7, count: 4096))
    let error = await #expect(throws: BlockError.self) {
      try await device.compare(at: 0, [UInt8](repeating: 8, count: 4096))
    }
    #expect(error?.cause == .failed(.compareMismatch, .compareFailure))
    thread.stop()
  }

  @Test
  func `A file`() async throws {
    let thread = try ReactorThread()
    let path = temporaryPath()
    defer { unlink(path) }
    let device = try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: thread.handle)
    #expect(device.geometry.blockCount == 256)
    try await exercise(device)
    await #expect(throws: BlockError.self) { try await device.compare(at: 0, [UInt8](repeating: 0, count: 4096)) }
    thread.stop()
  }

  /// More pieces than the kernel takes at once (1,024), so that it stops short; then fewer, then more again.
  @Test
  func `A file takes memory in any number of pieces`() async throws {
    let thread = try ReactorThread()
    let path = temporaryPath()
    defer { unlink(path) }
    let device = try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: thread.handle)
    for (round, pieceCount) in [3, 1500, 1, 4, 5, 2500, 1024, 1025].enumerated() {
      let bytes = pattern(16 * 4096, seed: UInt64(round))
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
      let vectors = UnsafeMutableBufferPointer<IOVector>.allocate(capacity: pieceCount)
      defer {
        memory.deallocate()
        vectors.deallocate()
      }
      // Odd lengths; the last takes the rest.
      for index in 0..<pieceCount {
        let length = bytes.count / pieceCount | 1
        let start = min(index * length, bytes.count)
        let end = index == pieceCount - 1 ? bytes.count : min(start + length, bytes.count)
        vectors[index] = IOVector(base: memory.baseAddress! + start, count: end - start)
      }
      let pieces = UnsafeBufferPointer(vectors)
      memory.copyBytes(from: bytes)
      try await device.perform(BlockRequest(.write, logicalBlockAddress: 7, blockCount: 16, vectors: pieces))
      #expect(try await device.read(at: 7, blockCount: 16) == bytes)
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      try await device.perform(BlockRequest(.read, logicalBlockAddress: 7, blockCount: 16, vectors: pieces))
      #expect(memory.elementsEqual(bytes), "\(pieceCount) pieces")
    }
    thread.stop()
  }

  @Test
  func `A file opened read-only refuses writes; one that is not there is an error that names it`() async throws {
    let thread = try ReactorThread()
    let path = temporaryPath()
    defer { unlink(path) }
    _ = try FileBlockDevice(path: path, creatingByteCount: 1 << 16, reactor: thread.handle)
    let device = try FileBlockDevice(path: path, isWritable: false, reactor: thread.handle)
    let error = await #expect(throws: BlockError.self) { try await device.write(at: 0, pattern(4096, seed: 1)) }
    #expect(error?.cause == .refused(.readOnly))
    let missing = #expect(throws: RingError.self) {
      _ = try FileBlockDevice(path: "/nowhere/at/all", reactor: thread.handle)
    }
    #expect("\(missing!)".contains("/nowhere/at/all"))
    thread.stop()
  }

  @Test
  func `A channel outlives its reactor without harm`() throws {
    var reactor: Reactor? = try Reactor()
    let device = try MemoryBlockDevice(blockCount: 16, reactor: reactor!.handle)
    let channel = try device.openChannel(on: reactor!, queueDepth: 4)
    #expect(channel.submit(BlockRequest(.flush, token: 5)) == .accepted)
    reactor = nil
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 4)
    defer { completions.deallocate() }
    #expect(channel.poll(into: completions) == 1)
    #expect(completions[0].token == 5)
    #expect(channel.submit(BlockRequest(.flush)) == .refused(.closed))
    channel.close()
  }

  /// It would be passed over, and what was never read be said to have been.
  @Test
  func `A length without an address is refused`() throws {
    let reactor = try Reactor()
    let device = try MemoryBlockDevice(blockCount: 16, reactor: reactor.handle)
    let channel = try device.openChannel(on: reactor, queueDepth: 1)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { memory.deallocate() }
    let vectors = UnsafeMutableBufferPointer<IOVector>.allocate(capacity: 2)
    defer { vectors.deallocate() }
    _ = vectors.initialize(from: [IOVector(base: nil, count: 96), IOVector(base: memory.baseAddress, count: 4000)])
    for operation in [BlockOperation.read, .write, .compare] {
      var request = BlockRequest(
        operation, logicalBlockAddress: 0, blockCount: 1, vectors: UnsafeBufferPointer(vectors))
      #expect(channel.submit(request) == .refused(.lengthMismatch))
      request.vectors = nil
      request.buffer = IOVector(base: nil, count: 4096)
      #expect(channel.submit(request) == .refused(.lengthMismatch))
    }
    channel.close()
  }

  @Test
  func `An error names the blocks, beyond the last address as well`() {
    func text(_ address: UInt64, _ count: UInt32) -> String {
      let error = BlockError(
        device: "d", operation: .read, logicalBlockAddress: address, blockCount: count, cause: .refused(.outOfRange))
      return "\(error)"
    }
    #expect(text(7, 3).hasPrefix("read of blocks 7…9 on d refused"))
    #expect(text(.max, 3).hasPrefix("read of blocks 18446744073709551615…18446744073709551615 on d refused"))
  }

  private final class Weakly: Sendable {
    weak let device: (any BlockDevice)?
    init(_ device: any BlockDevice) { self.device = device }
  }

  private final class ChannelBox: @unchecked Sendable {
    let channel: BlockChannel
    init(_ channel: BlockChannel) { self.channel = channel }
  }

  private func makeDevice(_ path: String?, _ reactor: ReactorHandle) throws -> any BlockDevice {
    if let path { return try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: reactor) }
    return try MemoryBlockDevice(blockCount: 256, reactor: reactor)
  }

  /// And with it its memory, its file's descriptor, and what it has on its reactor.
  @Test(arguments: [false, true], [false, true])
  func `A device whose async face was used goes with its last reference`(isFile: Bool, isMetered: Bool) async throws {
    let thread = try ReactorThread()
    let path = temporaryPath()
    defer { unlink(path) }
    func use() async throws -> Weakly {
      let device = try makeDevice(isFile ? path : nil, thread.handle)
      if isMetered {
        try await exercise(MeteredBlockDevice(device))
      } else {
        try await exercise(device)
      }
      return Weakly(device)
    }
    let weakly = try await use()
    try await eventually { weakly.device == nil }
    try await eventually { try await thread.handle.perform { $0.sourceCount } == 0 }
    thread.stop()
  }

  @Test(arguments: [false, true])
  func `A channel keeps its device until it has been closed and let go of`(isFile: Bool) async throws {
    let thread = try ReactorThread()
    let path = temporaryPath()
    defer { unlink(path) }
    func open() async throws -> (Weakly, ChannelBox) {
      let device = try makeDevice(isFile ? path : nil, thread.handle)
      try await exercise(device)
      let box = try await thread.handle.perform { ChannelBox(try device.openChannel(on: $0, queueDepth: 4)) }
      return (Weakly(device), box)
    }
    func use() async throws -> Weakly {
      let (weakly, box) = try await open()
      #expect(weakly.device != nil)
      try await thread.handle.perform { _ in box.channel.close() }
      return weakly
    }
    let weakly = try await use()
    try await eventually { weakly.device == nil }
    thread.stop()
  }

  @Test
  func `Tasks on the reactor's own thread use a device without a hop`() async throws {
    let thread = try ReactorThread()
    let device = try MemoryBlockDevice(blockCount: 256, reactor: thread.handle)
    try await withTaskExecutorPreference(thread.handle) {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<64 {
          group.addTask {
            let bytes = pattern(4096, seed: UInt64(index))
            try await device.write(at: UInt64(index), bytes)
            #expect(try await device.read(at: UInt64(index), blockCount: 1) == bytes)
          }
        }
        try await group.waitForAll()
      }
    }
    thread.stop()
  }

  @Test
  func `A turn does not sleep while completions are left to poll`() throws {
    let reactor = try Reactor()
    let device = try MemoryBlockDevice(blockCount: 16, reactor: reactor.handle)
    let channel = try device.openChannel(on: reactor, queueDepth: 64)
    for token in UInt64(0)..<64 { #expect(channel.submit(BlockRequest(.flush, token: token)) == .accepted) }
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 3)
    defer { completions.deallocate() }
    var seen: [UInt64] = []
    while seen.count < 64 {
      reactor.turn(.forever)
      seen += completions.prefix(channel.poll(into: completions)).map(\.token)
    }
    #expect(seen == Array(0..<64))
    channel.close()
  }
}
