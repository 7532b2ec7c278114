import BlockDevice
import Glibc
import TestSupport
import Testing

/// What files are like: which can be opened, and how their ranges become zeroes.
@Suite(.timeLimit(.minutes(1)))
struct FileBlockDeviceTests {
  /// Where zeroing a range is at hand, and where it is not: `FALLOC_FL_ZERO_RANGE` is unknown to tmpfs.
  private static let directories = ["/tmp", "/dev/shm"]

  private func withPath(_ directory: String = "/tmp", _ body: (String) async throws -> Void) async throws {
    let path = "\(directory)/swift-nvmeof-test-\(getpid())-\(UInt64.random(in: 0 ... .max))"
    defer { unlink(path) }
    try await body(path)
  }

  private func byteCount(_ path: String) -> Int? {
    var information = stat()
    return stat(path, &information) == 0 ? Int(information.st_size) : nil
  }

  private func allocatedByteCount(_ path: String) -> Int? {
    var information = stat()
    return stat(path, &information) == 0 ? Int(information.st_blocks) * 512 : nil
  }

  private func make(_ path: String, _ bytes: [UInt8]) throws {
    let file = try #require(fopen(path, "w"))
    defer { fclose(file) }
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
  }

  /// One request of a channel.
  private struct Outcome {
    var outcome: BlockOutcome
    var errorNumber: Int32
    /// Entries of the ring that it took.
    var operationCount: UInt64
  }

  private func perform(_ request: BlockRequest, on device: FileBlockDevice, _ reactor: Reactor) throws -> Outcome {
    let channel = try device.openChannel(on: reactor, queueDepth: 1)
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 1)
    defer {
      channel.close()
      completions.deallocate()
    }
    let before = reactor.statistics.completionCount
    #expect(channel.submit(request) == .accepted)
    let end = MonotonicClock.nanoseconds() + 30_000_000_000
    #expect(reactor.turn(untilNanoseconds: end, while: { !channel.hasCompletions }))
    let operationCount = reactor.statistics.completionCount - before
    #expect(channel.poll(into: completions) == 1)
    return Outcome(
      outcome: completions[0].outcome, errorNumber: Int32(completions[0].status.rawValue),
      operationCount: operationCount)
  }

  @Test(arguments: directories, [[], [.zeroRange], [.punchHole], [.zeroRange, .punchHole]] as [[FileAllocation]])
  func `Zeroes come in every way that a file system leaves`(
    _ directory: String, _ missing: [FileAllocation]
  ) async throws {
    try await withPath(directory) { path in
      let thread = try ReactorThread()
      // Longer than what is written at once.
      let bytes = pattern(3 << 20, seed: 5)
      try make(path, bytes)
      let device = try FileBlockDevice(path: path, reactor: thread.handle)
      for allocation in missing { device.file.ruleOut(allocation) }
      for options in [[], .noHole, .forceUnitAccess, [.noHole, .forceUnitAccess]] as [BlockOptions] {
        try await device.write(at: 0, bytes)
        try await device.perform(
          BlockRequest(.writeZeroes, logicalBlockAddress: 3, blockCount: 600, options: options))
        var expected = bytes
        expected.replaceSubrange(3 * 4096..<603 * 4096, with: [UInt8](repeating: 0, count: 600 * 4096))
        #expect(try await device.read(at: 0, blockCount: 768) == expected)
        #expect(byteCount(path) == bytes.count)
        if options.contains(.noHole) { #expect(allocatedByteCount(path) ?? 0 >= bytes.count) }
      }
      try await device.discard(at: 0, blockCount: 768)
      thread.stop()
    }
  }

  @Test(arguments: directories, [false, true])
  func `Write zeroes with FUA end only after a synchronization`(_ directory: String, _ isWritten: Bool) async throws {
    try await withPath(directory) { path in
      let reactor = try Reactor()
      let device = try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: reactor.handle)
      if isWritten { [.zeroRange, .punchHole].forEach { device.file.ruleOut($0) } }
      var request = BlockRequest(.writeZeroes, logicalBlockAddress: 0, blockCount: 2)
      // The first finds out what the file system can do.
      #expect(try perform(request, on: device, reactor).outcome == .success)
      #expect(try perform(request, on: device, reactor).operationCount == 1)
      request.options = .forceUnitAccess
      let forced = try perform(request, on: device, reactor)
      #expect(forced.outcome == .success)
      #expect(forced.operationCount == 2)
    }
  }

  /// The kernel tells of writes that it could not put on the disk once; whoever flushes later must hear of it, too.
  @Test
  func `Lost writes are told to every flush`() async throws {
    try await withPath { path in
      let reactor = try Reactor()
      let device = try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: reactor.handle)
      let forced = BlockRequest(.writeZeroes, logicalBlockAddress: 0, blockCount: 2, options: .forceUnitAccess)
      #expect(try perform(BlockRequest(.flush), on: device, reactor).outcome == .success)
      // What says nothing of the disk.
      #expect(device.file.synchronized(-EINTR) == -EINTR)
      #expect(try perform(BlockRequest(.flush), on: device, reactor).outcome == .success)
      #expect(device.file.synchronized(-ENOSPC) == -ENOSPC)
      for _ in 0..<2 {
        for request in [BlockRequest(.flush), forced] {
          let outcome = try perform(request, on: device, reactor)
          #expect(outcome.outcome == .systemError && outcome.errorNumber == ENOSPC)
        }
      }
      // Other writes are what they are.
      let zeroes = BlockRequest(.writeZeroes, logicalBlockAddress: 0, blockCount: 2)
      #expect(try perform(zeroes, on: device, reactor).outcome == .success)
    }
  }

  @Test
  func `Fast zeroes are refused where they would be written`() async throws {
    try await withPath { path in
      let reactor = try Reactor()
      let device = try FileBlockDevice(path: path, creatingByteCount: 1 << 20, reactor: reactor.handle)
      let request = BlockRequest(.writeZeroes, logicalBlockAddress: 0, blockCount: 2, options: .fastZero)
      let withoutHole = BlockRequest(
        .writeZeroes, logicalBlockAddress: 0, blockCount: 2, options: [.fastZero, .noHole])
      #expect(try perform(request, on: device, reactor).outcome == .success)
      #expect(try perform(withoutHole, on: device, reactor).outcome == .success)
      device.file.ruleOut(.zeroRange)
      #expect(try perform(request, on: device, reactor).outcome == .success)
      for refused in [withoutHole, request] {
        let result = try perform(refused, on: device, reactor)
        #expect(result.outcome == .systemError)
        #expect(result.errorNumber == EOPNOTSUPP)
        #expect(result.operationCount == 0)
        device.file.ruleOut(.punchHole)
      }
    }
  }

  @Test
  func `Only what is new or empty is given a size`() async throws {
    try await withPath { path in
      let reactor = try Reactor()
      func open(_ byteCount: UInt64?, isWritable: Bool = true) throws -> FileBlockDevice {
        try FileBlockDevice(
          path: path, isWritable: isWritable, creatingByteCount: byteCount, reactor: reactor.handle)
      }
      #expect(throws: RingError.self) { try open(1 << 20, isWritable: false) }
      #expect(byteCount(path) == nil, "made although it was to be read only")
      #expect(try open(1 << 20).geometry.blockCount == 256)
      #expect(byteCount(path) == 1 << 20)
      #expect(try open(1 << 20, isWritable: false).geometry.blockCount == 256)
      let bytes = pattern(1 << 20, seed: 9)
      try make(path, bytes)
      for other in [1 << 19, 1 << 21] as [UInt64] {
        let error = #expect(throws: RingError.self) { try open(other) }
        #expect("\(error!)".contains("has 1048576 bytes, not \(other)"))
        #expect(byteCount(path) == 1 << 20)
      }
      #expect(try open(1 << 20).unservedByteCount == 0)
      #expect(truncate(path, 0) == 0)
      #expect(throws: RingError.self) { try open(1 << 20, isWritable: false) }
      #expect(byteCount(path) == 0)
      #expect(try open(1 << 20).geometry.blockCount == 256)
    }
  }

  @Test
  func `What holds no block is refused, and what is left over is told`() async throws {
    try await withPath { path in
      let reactor = try Reactor()
      for name in ["/dev/zero", "/dev/null"] {
        let error = #expect(throws: RingError.self) { try FileBlockDevice(path: name, reactor: reactor.handle) }
        #expect("\(error!)" == "\(name) is neither a regular file nor a block device")
      }
      for length in [0, 4095] {
        try make(path, pattern(length, seed: 1))
        let error = #expect(throws: RingError.self) { try FileBlockDevice(path: path, reactor: reactor.handle) }
        #expect("\(error!)" == "\(path) has \(length) bytes, less than a block of 4096")
      }
      try make(path, pattern(3 * 4096 + 700, seed: 1))
      let device = try FileBlockDevice(path: path, reactor: reactor.handle)
      #expect(device.geometry.blockCount == 3)
      #expect(device.unservedByteCount == 700)
    }
  }
}
