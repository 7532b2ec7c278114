import NBDProtocol
import NVMeProtocol

/// What the server has to answer under TLS: the protocol's own code on what the client has said there, and on nothing else.
/// It has not seen what was said in the clear before.
final class Reference {
  static let blockCount: UInt64 = 64
  static let blockByteCount: UInt32 = 512
  static let byteCount = Int(blockCount) * Int(blockByteCount)

  struct Catalogue: NBDExportCatalogue {
    static let disk = NBDExportDescription(
      name: "d", description: "",
      limits: NBDExportLimits(
        byteCount: UInt64(byteCount), minimumBlockByteCount: blockByteCount, preferredBlockByteCount: 4096,
        maximumPayloadByteCount: 32 << 20,
        flags: [
          .hasFlags, .sendFlush, .sendForceUnitAccess, .sendTrim, .sendWriteZeroes, .sendFastZero, .canMultiConnect,
        ]))

    var descriptions: [NBDExportDescription] { [Self.disk] }
    func description(ofExport name: String) -> NBDExportDescription? { name.isEmpty || name == "d" ? Self.disk : nil }
  }

  private var negotiationOutput: [UInt8] = []
  /// To requests: each of one, as a server that has several under way may answer in another order.
  private var replies: [[UInt8]] = []
  private var negotiation: NBDNegotiation
  private var engine: UnsafeMutablePointer<NBDTransmission>?
  private let configuration: NBDTransmissionConfiguration
  private var disk = [UInt8](repeating: 0, count: Reference.byteCount)
  private var rest: [UInt8] = []
  /// The server ends the connection, and may do so before all is answered.
  private(set) var hasEnded = false

  init(policy: NBDTLSPolicy, configuration: NBDTransmissionConfiguration) {
    self.configuration = configuration
    negotiation = NBDNegotiation(catalogue: Catalogue(), policy: policy)
    _ = negotiation.takeOutput()
    let bytes = [0, 0, 0, 3] + FuzzedClient.option(.startTLS)
    let (taken, _) = bytes.withUnsafeBytes { negotiation.receive($0) }
    check(taken == bytes.count, "TLS is not begun")
    _ = negotiation.takeOutput()
    negotiation.becameSecure()
  }

  deinit {
    guard let engine else { return }
    engine.deinitialize(count: 1)
    engine.deallocate()
  }

  func receive(_ bytes: [UInt8]) {
    rest += bytes
    var isAdvancing = true
    while isAdvancing, !hasEnded {
      isAdvancing = engine.map(transmit) ?? negotiate()
    }
  }

  private func negotiate() -> Bool {
    let (taken, outcome) = rest.withUnsafeBytes { negotiation.receive($0) }
    rest.removeFirst(taken)
    let answer = negotiation.takeOutput()
    negotiationOutput += answer
    switch outcome {
    case .open: return !rest.isEmpty && (taken > 0 || !answer.isEmpty)
    case .startTLS: fatalError("TLS is begun twice")
    case .disconnect: hasEnded = true
    case .transmission(let session):
      let engine = UnsafeMutablePointer<NBDTransmission>.allocate(capacity: 1)
      engine.initialize(
        to: NBDTransmission(
          session: session, configuration: configuration, pool: NBDBufferPool(maximumKeptByteCount: 0)))
      self.engine = engine
    }
    return !hasEnded
  }

  private func transmit(_ engine: UnsafeMutablePointer<NBDTransmission>) -> Bool {
    // Not more than a header: so there is one reply at most.
    let piece = rest.prefix(engine.pointee.headerByteCount)
    let taken = piece.withUnsafeBytes { engine.pointee.receive($0) }
    rest.removeFirst(taken)
    while let request = engine.pointee.popRequest() {
      carryOut(request)
      engine.pointee.complete(request.index, nil)
    }
    var reply: [UInt8] = []
    while engine.pointee.wantsToSend {
      var count = 0
      for vector in engine.pointee.buildSend() {
        reply += UnsafeRawBufferPointer(start: vector.base, count: vector.count)
        count += vector.count
      }
      engine.pointee.didSend(byteCount: count)
    }
    if !reply.isEmpty { replies.append(reply) }
    if engine.pointee.state != .open { hasEnded = true }
    return taken > 0
  }

  private func carryOut(_ request: NBDRequest) {
    let range = Int(request.offset)..<Int(request.offset + request.byteCount)
    switch request.operation {
    case .read: request.memory.copyBytes(from: disk[range])
    case .write: disk.replaceSubrange(range, with: request.memory)
    case .writeZeroes, .trim: disk.replaceSubrange(range, with: repeatElement(0, count: range.count))
    case .flush: break
    }
  }

  /// Holds what the server has answered against what it should.
  ///
  /// - Parameter isComplete: nothing may be missing.
  func verify(_ answers: [UInt8], isComplete: Bool) {
    let count = min(answers.count, negotiationOutput.count)
    check(
      answers[..<count] == negotiationOutput[..<count],
      "negotiation has \(answers[..<count]), which should be \(negotiationOutput)")
    check(!isComplete || count == negotiationOutput.count, "options are not answered")
    var rest = answers[count...]
    // One reply may begin as another does and be longer.
    var unused = replies.sorted { $0.count > $1.count }
    while !rest.isEmpty {
      if let index = unused.firstIndex(where: { rest.starts(with: $0) }) {
        rest.removeFirst(unused.remove(at: index).count)
      } else {
        check(
          !isComplete && unused.contains { $0.starts(with: rest) },
          "a reply that nobody has asked for under TLS: \(Array(rest)), of \(unused.count)")
        return
      }
    }
    check(!isComplete || unused.isEmpty, "\(unused.count) requests are not answered")
  }
}
