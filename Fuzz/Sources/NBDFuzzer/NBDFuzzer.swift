import NBDProtocol
import NVMeProtocol

/// A client's bytes in any pieces, first as negotiation, then as requests to a small disk whose requests end in any order,
/// with and without errors, while answers are fetched in pieces. Nothing may trap; no more requests and bytes are there than
/// the limits allow; and when all requests have ended, all memory has been given back.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNBD(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = FuzzInput(UnsafeBufferPointer(start: data, count: count))
  let choice = input.byte()
  if choice & 1 == 0 {
    negotiate(&input, policy: [NBDTLSPolicy.none, .offered, .required][Int(choice >> 1) % 3])
  } else {
    let styles: [NBDReplyStyle] = [.simple, .structured, .extended]
    transmit(
      &input,
      NBDSession(
        export: FuzzCatalogue.disk, style: styles[Int(choice >> 1) % 3],
        allocationContextIdentifier: choice & 0x80 == 0 ? 1 : nil))
  }
  return 0
}

struct FuzzCatalogue: NBDExportCatalogue {
  static let disk = NBDExportDescription(
    name: "d", description: "a disk",
    limits: NBDExportLimits(
      byteCount: 16_384, minimumBlockByteCount: 512, preferredBlockByteCount: 4096, maximumPayloadByteCount: 8192,
      flags: [
        .hasFlags, .sendFlush, .sendForceUnitAccess, .sendTrim, .sendWriteZeroes, .sendFastZero, .canMultiConnect,
      ]))

  var descriptions: [NBDExportDescription] { [Self.disk] }
  func description(ofExport name: String) -> NBDExportDescription? { name.isEmpty || name == "d" ? Self.disk : nil }
}

private func negotiate(_ input: inout FuzzInput, policy: NBDTLSPolicy) {
  var negotiation = NBDNegotiation(catalogue: FuzzCatalogue(), policy: policy)
  check(negotiation.takeOutput().count == 18, "the greeting has 18 bytes")
  while !input.isEmpty {
    let piece = input.take(Int(input.byte()) + 1)
    var position = 0
    while position < piece.count {
      let (taken, outcome) = piece[position...].withUnsafeBytes { negotiation.receive($0) }
      position += taken
      let output = negotiation.takeOutput()
      check(output.count < 1 << 17, "\(output.count) bytes of answers to one option")
      switch outcome {
      case .open: check(taken > 0 || !output.isEmpty, "no progress")
      case .startTLS: negotiation.becameSecure()
      case .transmission(let session):
        transmit(&input, session)
        return
      case .disconnect: return
      }
    }
  }
}

private func transmit(_ input: inout FuzzInput, _ session: NBDSession) {
  var configuration = NBDTransmissionConfiguration()
  configuration.requestLimit = 4
  configuration.memoryLimitByteCount = 16_384
  let pool = NBDBufferPool(maximumKeptByteCount: 8192)
  var held: [NBDRequest] = []
  var answers = 0
  do {
    var engine = NBDTransmission(session: session, configuration: configuration, pool: pool)
    var rest: [UInt8] = []
    while !input.isEmpty, engine.state == .open {
      let operation = input.byte()
      switch operation % 6 {
      case 0, 1: rest += input.take(Int(input.byte()) + 1)
      case 2: rest += request(&input, engine.session.style)
      case 3:
        if !held.isEmpty {
          engine.complete(held.remove(at: input.below(held.count)).index, input.byte() % 4 == 0 ? .deviceError : nil)
        }
      case 4:
        if engine.wantsToSend {
          let total = engine.buildSend().reduce(0) { $0 + $1.count }
          check(total > 0, "nothing to send")
          let sent = min(total, Int(input.word()) + 1)
          answers += sent
          engine.didSend(byteCount: sent)
        }
      default:
        if let direct = engine.directVector {
          let count = min(direct.count, rest.count)
          rest[..<count].withUnsafeBytes { direct.base!.copyMemory(from: $0.baseAddress!, byteCount: count) }
          rest.removeFirst(count)
          engine.didReceiveDirectly(byteCount: count)
        }
      }
      rest.removeFirst(rest.withUnsafeBytes { engine.receive($0) })
      while let request = engine.popRequest() {
        check(request.offset + request.byteCount <= 16_384, "beyond the end")
        check((request.offset | request.byteCount) % 512 == 0, "not aligned")
        // All of the memory is there.
        request.memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
        held.append(request)
      }
      check(held.count <= 4, "too many requests")
      check(pool.lentByteCount <= 16_384, "\(pool.lentByteCount) bytes are lent")
      let isMoving = !held.isEmpty || engine.wantsToSend || engine.directVector != nil
      check(isMoving || !engine.hasRequests, "requests wait for nothing")
    }
    // The client goes: what the device has comes to its end.
    engine.dropRequests()
    for request in held { engine.complete(request.index, nil) }
    check(engine.outstandingCount == 0, "requests are left")
  }
  check(pool.lentByteCount == 0, "\(pool.lentByteCount) bytes are lost")
}

/// A request that begins as it should.
private func request(_ input: inout FuzzInput, _ style: NBDReplyStyle) -> [UInt8] {
  let magic = style == .extended ? NBDMagic.extendedRequest : NBDMagic.request
  var bytes: [UInt8] = []
  withUnsafeBytes(of: magic.bigEndian) { bytes.append(contentsOf: $0) }
  bytes += [0, input.byte(), 0, input.byte() % 10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
  bytes += [input.byte() % 0x42, input.byte() & 0xFE]
  if style == .extended { bytes += [0, 0, 0, 0] }
  bytes += [0, 0, input.byte() % 0x22, input.byte()]
  return bytes
}
