import BlockDevice
import NVMeTCPProtocol
import TestSupport
import Testing

import EmbeddedTarget

/// Both sans-I/O ends of a queue pair, joined without sockets: bytes go over in pieces of any size.
@Suite("Host and target queue pairs without sockets")
struct QueuePairTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var digests = false
    var largestPiece = Int.max
    var target: @Sendable (inout TargetQueuePairConfiguration) -> Void = { _ in }
    var testDescription: String { name }

    static let all: [Case] = [
      Case(name: "whole"),
      Case(name: "byte by byte", largestPiece: 1),
      Case(name: "byte by byte, digests", digests: true, largestPiece: 1),
      Case(name: "small pieces, digests, aligned", digests: true, largestPiece: 50) {
        $0.controllerPDUDataAlignmentBytes = 128
        $0.maximumH2CDataLength = 4096
        $0.maximumReadyToTransferLength = 8192
        $0.maximumC2HDataLength = 4096
      },
      Case(name: "large pieces, digests", digests: true, largestPiece: 20_000) { $0.maximumC2HDataLength = 10_000 },
    ]
  }

  /// Bytes between the two, in one direction.
  private static func move(
    _ vectors: UnsafeMutableBufferPointer<IOVector>, piece: Int
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    for vector in vectors where bytes.count < piece {
      bytes += UnsafeRawBufferPointer(start: vector.base, count: min(vector.count, piece - bytes.count))
    }
    return bytes
  }

  @Test("the same commands, whatever the pieces", arguments: Case.all, [UInt64(1), 2, 3])
  func anyPieces(variant: Case, seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    var configuration = TargetQueuePairConfiguration()
    variant.target(&configuration)
    var target = TargetQueuePair(configuration: configuration)
    var hostConfiguration = HostQueuePairConfiguration(depth: 8, maximumInCapsuleByteCount: 4096)
    hostConfiguration.requestsHeaderDigest = variant.digests
    hostConfiguration.requestsDataDigest = variant.digests
    hostConfiguration.hostPDUDataAlignment = 7
    var host = HostQueuePair(configuration: hostConfiguration)
    target.setQueue(entries: 9, flowControl: seed % 2 == 0, maximumInCapsuleDataLength: 4096)

    // Each command moves a buffer of its own; the target's store has a place for each.
    let sizes = [4, 512, 4096, 4100, 20_000, 70_000]
    let store = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    store.initializeMemory(as: UInt8.self, repeating: 0, count: 1 << 20)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 1 << 20)
    let vectors = UnsafeMutablePointer<IOVector>.allocate(capacity: 16)
    defer {
      store.deallocate()
      memory.deallocate()
      vectors.deallocate()
    }
    var expected = [UInt8](repeating: 0, count: 1 << 20)
    var submitted = 0
    var completed = 0
    let total = 24
    var steps = 0
    while completed < total {
      steps += 1
      try #require(steps < 4_000_000, "no progress")
      // Even commands write a place, odd ones read it back.
      while submitted < total, host.state == .ready, host.freeSlotCount > 0, submitted - completed < 6 {
        let isWrite = submitted % 2 == 0
        let pair = submitted / 2
        // A read waits for its write.
        if !isWrite && completed < submitted { break }
        let size = sizes[pair % sizes.count]
        let offset = pair * 80_000
        let data = memory + (pair % 8) * 100_000
        if isWrite {
          let bytes = pattern(size, seed: seed &* 100 &+ UInt64(pair))
          data.copyMemory(from: bytes, byteCount: size)
          expected.replaceSubrange(offset..<offset + size, with: bytes)
        } else {
          data.initializeMemory(as: UInt8.self, repeating: 0xAA, count: size)
        }
        vectors[submitted % 16] = IOVector(base: data, count: size)
        var command = SubmissionQueueEntry(opcode: isWrite ? 1 : 2, namespaceIdentifier: 1)
        command.cdw10 = UInt32(offset)
        command.cdw11 = UInt32(size)
        let isTaken = host.submit(
          command,
          data: DataSegments(vectors: vectors + submitted % 16, vectorCount: 1, byteOffset: 0, byteCount: UInt32(size)),
          direction: isWrite ? .hostToController : .controllerToHost, context: nil, token: UInt64(submitted),
          deadlineNanoseconds: .max)
        try #require(isTaken)
        submitted += 1
      }
      // Host to target.
      if host.buildSend() > 0 {
        let piece = Int.random(in: 1...min(variant.largestPiece, 200_000), using: &generator)
        let bytes = Self.move(host.sendVectors, piece: piece)
        host.didSend(byteCount: bytes.count)
        bytes.withUnsafeBytes { raw in
          var input = raw
          loop: while true {
            switch target.next(&input) {
            case .needsMore: break loop
            case .initialized: break
            case .command(let slot):
              let command = target.slots[slot].command
              let place = store + Int(command.cdw10)
              let isWrite = command.opcode == 1
              let placement = target.dataPlacement(slot, byteCount: Int(command.cdw11), isWrite: isWrite)
              if isWrite {
                target.receiveData(slot, placement: placement, into: place, byteCount: Int(command.cdw11))
              } else {
                target.sendData(slot, from: place, byteCount: Int(command.cdw11))
              }
            case .dataComplete(let slot): target.respond(slot)
            case .violation, .hostTerminated:
              Issue.record("target: \(target.violation.map { "\($0)" } ?? "ended")")
              break loop
            }
          }
        }
      }
      // Target to host.
      if target.buildSend() > 0 {
        let piece = Int.random(in: 1...min(variant.largestPiece, 200_000), using: &generator)
        let bytes = Self.move(target.sendVectors, piece: piece)
        target.didSend(byteCount: bytes.count)
        let isHealthy = bytes.withUnsafeBytes { host.receive($0) }
        try #require(isHealthy, "host: \(host.violation.map { "\($0)" } ?? "")")
      }
      while let completion = host.popCompletion() {
        #expect(completion.status.isSuccess)
        #expect(completion.outcome == .answered)
        let pair = Int(completion.token) / 2
        if completion.token % 2 == 1 {
          let size = sizes[pair % sizes.count]
          let read = UnsafeRawBufferPointer(start: memory + (pair % 8) * 100_000, count: size)
          #expect(isEqual(Array(read)[...], expected[pair * 80_000..<pair * 80_000 + size]), "pair \(pair)")
        }
        completed += 1
      }
    }
    let stored = Array(UnsafeRawBufferPointer(start: store, count: 1 << 20))
    #expect(isEqual(stored[...], expected[...]))
    // Every slot has come back.
    #expect(target.freeSlotCount == target.slotCapacity)
    #expect(host.outstandingCount == 0)
  }

  @Test("a wrong data digest fails the command, not the connection; the slot and its tag are used anew")
  func digestError() throws {
    var target = TargetQueuePair(configuration: TargetQueuePairConfiguration())
    target.setQueue(entries: 4, flowControl: true, maximumInCapsuleDataLength: 8192)
    let request = ICRequest(digests: .data)
    feed(&target, stored(ICRequest.byteCount, request.store(to:))) { event, _ in #expect(event == .initialized) }
    _ = drain(&target)
    var write = SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1)
    write.commandIdentifier = 3
    write.sgl = .inCapsule(length: 512)
    let store = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 8)
    defer { store.deallocate() }
    let capsule =
      stored(CapsuleCommandHeader.byteCount) {
        CapsuleCommandHeader(dataLength: 512, parameters: target.parameters).store(to: $0)
        write.store(to: $0 + 8)
      } + [UInt8](repeating: 1, count: 512) + [1, 2, 3, 4]
    for _ in 0..<10 {
      feed(&target, capsule) { event, target in
        guard case .command(let slot) = event else {
          Issue.record("unexpected \(event)")
          return
        }
        let placement = target.dataPlacement(slot, byteCount: 512, isWrite: true)
        target.receiveData(slot, placement: placement, into: store, byteCount: 512)
      }
      let answer = drain(&target)
      #expect(answer.count == CapsuleResponseHeader.byteCount)
      let completion = answer.withUnsafeBytes { CompletionQueueEntry(loading: $0.baseAddress! + 8) }
      #expect(completion.status.matches(.transientTransportError))
      #expect(completion.commandIdentifier == 3)
    }
    #expect(target.outstandingCount == 0)
    #expect(target.violation == nil)
  }

  private func feed(
    _ target: inout TargetQueuePair, _ bytes: [UInt8],
    _ body: (TargetQueuePair.Event, inout TargetQueuePair) -> Void
  ) {
    bytes.withUnsafeBytes { raw in
      var input = raw
      while true {
        let event = target.next(&input)
        if event == .needsMore { return }
        body(event, &target)
      }
    }
  }

  private func drain(_ target: inout TargetQueuePair) -> [UInt8] {
    var bytes: [UInt8] = []
    while target.buildSend() > 0 {
      let batch = Self.move(target.sendVectors, piece: .max)
      bytes += batch
      target.didSend(byteCount: batch.count)
    }
    return bytes
  }
}
