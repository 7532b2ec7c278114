import NBDProtocol
import NVMeProtocol

/// A transmission engine with a disk in memory behind it, and what it has sent.
final class TransmissionWorld {
  var engine: NBDTransmission
  let pool: NBDBufferPool
  let client: NBDBufferPool.Client
  var disk: [UInt8]
  var output: [UInt8] = []
  /// Requests handed out and not completed.
  var held: [NBDRequest] = []
  /// Completed as soon as they are handed out.
  var answersAtOnce = true
  /// Sizes of sends, in turn; empty: all at once.
  var sendSizes: [Int] = []
  private var sendTurn = 0

  // The engine cannot be copied, which the expectations' macros would.
  var state: NBDTransmissionState { engine.state }
  var isIdle: Bool { engine.isIdle }
  var hasNothingToDo: Bool { engine.hasNothingToDo }
  var isWaitingForPlace: Bool { engine.isWaitingForPlace }

  init(
    _ export: NBDExportDescription = Catalogue.disk, style: NBDReplyStyle = .simple, hasContext: Bool = false,
    configuration: NBDTransmissionConfiguration = NBDTransmissionConfiguration(), pool: NBDBufferPool = NBDBufferPool()
  ) {
    self.pool = pool
    let place = UnsafeMutableRawPointer.allocate(byteCount: 1, alignment: 1)
    client = NBDBufferPool.Client(place)
    engine = NBDTransmission(
      session: NBDSession(export: export, style: style, allocationContextIdentifier: hasContext ? 7 : nil),
      configuration: configuration, pool: pool, client: client)
    // 251 is prime: no two blocks are alike. By doubling, which is quick without optimization, too.
    disk = Array(0..<251)
    let byteCount = Int(min(export.limits.byteCount, 1 << 20))
    while disk.count < byteCount { disk += disk }
    disk.removeLast(disk.count - byteCount)
  }

  deinit { client.deallocate() }

  /// Feeds input, and lets requests, completions and sends take their course. Returns how many bytes were taken.
  @discardableResult
  func feed(_ input: [UInt8]) -> Int {
    var position = 0
    while true {
      // In place where it is offered, now and then.
      if let direct = engine.directVector, direct.count % 3 == 1 {
        let count = min(direct.count, input.count - position)
        input[position..<position + count].withUnsafeBytes {
          direct.base!.copyMemory(from: $0.baseAddress!, byteCount: count)
        }
        engine.didReceiveDirectly(byteCount: count)
        position += count
      }
      let taken = input[position...].withUnsafeBytes { engine.receive($0) }
      position += taken
      let hadWork = work()
      if position == input.count && !engine.isWaitingForPlace || taken == 0 && !hadWork { return position }
    }
  }

  /// Returns whether there was something to do.
  @discardableResult
  func work() -> Bool {
    var hadWork = false
    while true {
      let before = (held.count, output.count)
      while let request = engine.popRequest() {
        if answersAtOnce { carryOut(request) } else { held.append(request) }
      }
      send()
      if before == (held.count, output.count) { return hadWork }
      hadWork = true
    }
  }

  func carryOut(_ request: NBDRequest, failure: NBDFailure? = nil) {
    let range = Int(request.offset)..<Int(request.offset + request.byteCount)
    if failure == nil {
      switch request.operation {
      case .read: disk[range].withUnsafeBytes { request.memory.copyMemory(from: $0) }
      case .write: disk.replaceSubrange(range, with: request.memory)
      case .trim, .writeZeroes: disk.replaceSubrange(range, with: repeatElement(0, count: range.count))
      case .flush: break
      }
    }
    engine.complete(request.index, failure)
  }

  func send() {
    while engine.wantsToSend {
      let vectors = engine.buildSend()
      let total = vectors.reduce(0) { $0 + $1.count }
      var left = total
      if !sendSizes.isEmpty {
        left = min(total, sendSizes[sendTurn % sendSizes.count])
        sendTurn += 1
      }
      let sent = left
      for vector in vectors where left > 0 {
        let count = min(vector.count, left)
        output += UnsafeRawBufferPointer(start: vector.base, count: count)
        left -= count
      }
      engine.didSend(byteCount: sent)
    }
  }
}

/// A request as a client writes it.
struct ClientRequest {
  var command: NBDCommand
  var flags: NBDCommandFlags = []
  var cookie: UInt64 = 0
  var offset: UInt64 = 0
  var length: UInt64 = 0
  var payload: [UInt8] = []

  func encoded(_ style: NBDReplyStyle) -> [UInt8] {
    let isExtended = style == .extended
    return bytes(isExtended ? NBDMagic.extendedRequest : NBDMagic.request) + bytes(flags.rawValue)
      + bytes(command.rawValue) + bytes(cookie) + bytes(offset) + (isExtended ? bytes(length) : bytes(UInt32(length)))
      + payload
  }
}

/// A reply as a client reads it: one chunk is all that this server sends.
struct ClientReply: Equatable {
  var cookie: UInt64
  var error: UInt32 = 0
  var data: [UInt8] = []
  var extents: [[UInt64]] = []

  /// Reads all replies; nil when they are malformed. `lengths` are those of reads, by cookie.
  static func parse(_ output: [UInt8], style: NBDReplyStyle, reads: [UInt64: (offset: UInt64, length: Int)])
    -> [ClientReply]?
  {
    var rest = output[...]
    func take<Value: FixedWidthInteger & UnsignedInteger>(_ type: Value.Type) -> Value? {
      let size = MemoryLayout<Value>.size
      guard rest.count >= size else { return nil }
      defer { rest = rest.dropFirst(size) }
      return rest.prefix(size).reduce(Value(0)) { $0 << 8 | Value($1) }
    }
    var replies: [ClientReply] = []
    while !rest.isEmpty {
      guard let magic = take(UInt32.self) else { return nil }
      if magic == NBDMagic.simpleReply {
        guard style != .extended, let error = take(UInt32.self), let cookie = take(UInt64.self) else { return nil }
        var reply = ClientReply(cookie: cookie, error: error)
        if error == 0, let read = reads[cookie] {
          guard style == .simple, rest.count >= read.length else { return nil }
          reply.data = Array(rest.prefix(read.length))
          rest = rest.dropFirst(read.length)
        }
        replies.append(reply)
        continue
      }
      guard magic == (style == .extended ? NBDMagic.extendedReply : NBDMagic.structuredReply), style != .simple,
        take(UInt16.self) == 1, let type = take(UInt16.self), let cookie = take(UInt64.self)
      else { return nil }
      if style == .extended, take(UInt64.self) == nil { return nil }
      guard let length = style == .extended ? take(UInt64.self).map({ Int($0) }) : take(UInt32.self).map({ Int($0) }),
        rest.count >= length
      else { return nil }
      let end = rest.dropFirst(length)
      rest = rest.prefix(length)
      var reply = ClientReply(cookie: cookie)
      switch NBDReplyType(rawValue: type) {
      case .some(.none): guard length == 0, reads[cookie] == nil else { return nil }
      case .offsetData:
        guard let read = reads[cookie], take(UInt64.self) == read.offset, rest.count == read.length else { return nil }
        reply.data = Array(rest)
      case .error:
        guard let error = take(UInt32.self), error != 0, let count = take(UInt16.self), rest.count == count else {
          return nil
        }
        reply.error = error
      case .blockStatus:
        guard take(UInt32.self) == 7, let length = take(UInt32.self), let flags = take(UInt32.self) else { return nil }
        reply.extents = [[UInt64(length), UInt64(flags)]]
      case .blockStatusExtended:
        guard take(UInt32.self) == 7, take(UInt32.self) == 1, let length = take(UInt64.self),
          let flags = take(UInt64.self)
        else { return nil }
        reply.extents = [[length, flags]]
      default: return nil
      }
      rest = end
      replies.append(reply)
    }
    return replies
  }
}
