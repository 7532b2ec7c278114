internal import Glibc

/// The server's side of one connection, sans-I/O: bytes in, requests out; replies in, bytes out.
///
/// The owner gives what it received to ``receive(_:)``, takes requests from ``nextRequest()`` until there is none, hands
/// replies in by ``reply(to:_:)`` in any order and at any time, and sends ``output``, of which it says by ``sent(_:)`` what
/// is gone. It reads from the client only while ``wantsInput``, and closes when ``isFinished``.
public struct RPCConnection: Sendable {
  private struct Outstanding: Sendable {
    /// nil: no reply to a success.
    var identifier: JSONValue?
    var batch: UInt64?
  }

  /// Requests that are answered by one array.
  private struct Batch: Sendable {
    var remainingCount: Int
    /// What the array has so far, without its end.
    var replies = RPCOutput()
  }

  public let limits: RPCLimits
  private var parser: JSONParser
  /// Received, not parsed yet: requests wait here while as many as may be are outstanding.
  private var input: [UInt8] = []
  private var inputOffset = 0
  /// Requests of a batch that are still to be handed out.
  private var queue: [RPCRequest] = []
  private var queueOffset = 0
  private var queueByteCount = 0
  private var outstanding: [UInt64: Outstanding] = [:]
  private var batches: [UInt64: Batch] = [:]
  /// Of what they have so far.
  private var batchByteCount = 0
  private var nextNumber: UInt64 = 0
  private var inputHasEnded = false
  private var isBroken = false

  /// Replies that are to be sent, each one line.
  public private(set) var output = RPCOutput()

  public init(limits: RPCLimits = RPCLimits()) {
    self.limits = limits
    parser = JSONParser(limits: limits.json)
  }

  /// Requests handed out, or waiting to be, that have no reply yet.
  public var outstandingCount: Int { outstanding.count }

  /// About how much memory there is of requests that are not complete or not handed out, and of replies that are to be sent,
  /// in bytes.
  public var memoryByteCount: Int {
    input.count + parser.memoryByteCount + queueByteCount + output.count + batchByteCount
  }

  /// Whether the client is to be read from.
  public var wantsInput: Bool { !inputHasEnded && hasRoom && !hasQueued && inputOffset == input.count }

  /// Whether ``nextRequest()`` is to be called although nothing has come: it has not been called until it had none, replies
  /// have made room, or have been sent.
  public var hasMore: Bool { hasQueued || hasRoom && inputOffset < input.count }

  private var hasQueued: Bool { queueOffset < queue.count }

  /// Whether there may be another request, and another reply.
  private var hasRoom: Bool {
    !isBroken && outstanding.count < limits.maximumOutstandingCount && output.count < limits.maximumOutputByteCount
  }

  /// Nothing more will come out: the connection is to be closed.
  public var isFinished: Bool {
    (isBroken || inputHasEnded && inputOffset == input.count) && outstanding.isEmpty && output.isEmpty
  }

  /// Takes bytes from the client. Call ``nextRequest()`` afterwards until it has none.
  public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
    guard !isBroken, !inputHasEnded else { return }
    if inputOffset == input.count {
      input.removeAll(keepingCapacity: true)
      inputOffset = 0
    }
    input.append(contentsOf: bytes)
  }

  /// The client sends no more. It may still read: what is outstanding gets its replies.
  public mutating func endInput() { inputHasEnded = true }

  /// The next request to carry out; nil when there is none, or when replies have to come, or be sent, first.
  public mutating func nextRequest() -> RPCRequest? {
    while true {
      if hasQueued {
        let request = queue[queueOffset]
        queueOffset += 1
        queueByteCount -= request.memoryByteCount
        guard isTooMuch(request) else { return request }
        reply(to: request.token, .failure(.system(ENOMEM, detail: "the replies of this batch are too large together")))
        continue
      }
      queue.removeAll(keepingCapacity: true)
      queueOffset = 0
      guard hasRoom else { return nil }
      let offset = inputOffset
      let step = input.withUnsafeBytes { parser.parse(UnsafeRawBufferPointer(rebasing: $0[offset...])) }
      switch step {
      case .needsMore:
        inputOffset = input.count
        if inputHasEnded { return endOfInput() }
        return nil
      case .value(let value, let count):
        inputOffset += count
        accept(value)
      case .failed(let error):
        fail(error)
        return nil
      }
    }
  }

  /// A batch is answered at once, when the last of its replies is there: those before cannot wait for the client to read.
  private func isTooMuch(_ request: RPCRequest) -> Bool {
    outstanding[request.token.number]?.batch != nil
      && output.count + batchByteCount >= limits.maximumOutputByteCount
  }

  /// A value may end with the input; what is within one is not JSON.
  private mutating func endOfInput() -> RPCRequest? {
    switch parser.finish() {
    case .needsMore: break
    // A number or word that stands by itself is no request.
    case .value(let value, _): accept(value)
    case .failed(let error): fail(error)
    }
    return nil
  }

  private mutating func fail(_ error: JSONError) {
    isBroken = true
    input = []
    inputOffset = 0
    parseError = error
    refuse(.parseError, .null, batch: nil)
  }

  private var parseError: JSONError?

  /// What broke the connection, for the log; told once.
  public mutating func takeParseError() -> JSONError? {
    defer { parseError = nil }
    return parseError
  }

  private mutating func accept(_ value: JSONValue) {
    guard case .array(let elements) = value else {
      accept(value, batch: nil, memoryByteCount: parser.completedMemoryByteCount)
      return
    }
    guard !elements.isEmpty, elements.count <= limits.maximumOutstandingCount else {
      refuse(.invalidRequest, .null, batch: nil)
      return
    }
    let batch = nextNumber
    nextNumber += 1
    batches[batch] = Batch(remainingCount: elements.count)
    let memoryByteCount = parser.completedMemoryByteCount / elements.count
    for element in elements { accept(element, batch: batch, memoryByteCount: memoryByteCount) }
  }

  private mutating func accept(_ value: JSONValue, batch: UInt64?, memoryByteCount: Int) {
    do throws(RPCRequest.Malformed) {
      let envelope = try RPCRequest.Envelope(value)
      let number = nextNumber
      nextNumber += 1
      outstanding[number] = Outstanding(identifier: envelope.identifier, batch: batch)
      queueByteCount += memoryByteCount
      queue.append(
        RPCRequest(
          token: RPCRequest.Token(number: number), method: envelope.method, parameters: envelope.parameters,
          memoryByteCount: memoryByteCount))
    } catch {
      refuse(error.error, error.identifier, batch: batch)
    }
  }

  private mutating func refuse(_ error: RPCError, _ identifier: JSONValue, batch: UInt64?) {
    deliver(batch: batch) { Self.append(identifier, .failure(error), to: &$0) }
  }

  /// Hands in the reply to a request. A second one to the same request is dropped.
  public mutating func reply(to token: RPCRequest.Token, _ result: Result<RPCResult, RPCError>) {
    guard let entry = outstanding.removeValue(forKey: token.number) else { return }
    switch (entry.identifier, result) {
    case (nil, .success): deliver(batch: entry.batch, nil)
    case (let identifier, _): deliver(batch: entry.batch) { Self.append(identifier ?? .null, result, to: &$0) }
    }
  }

  /// - Parameter append: writes the reply; nil: there is none.
  private mutating func deliver(batch: UInt64?, _ append: ((inout RPCOutput) -> Void)?) {
    guard let batch else {
      guard let append else { return }
      append(&output)
      output.append("\n")
      return
    }
    if let append {
      batchByteCount -= batches[batch]!.replies.count
      batches[batch]!.replies.append(batches[batch]!.replies.isEmpty ? "[" : ",")
      append(&batches[batch]!.replies)
      batchByteCount += batches[batch]!.replies.count
    }
    batches[batch]!.remainingCount -= 1
    guard batches[batch]!.remainingCount == 0 else { return }
    let replies = batches.removeValue(forKey: batch)!.replies
    batchByteCount -= replies.count
    // A batch of requests that want no reply has none (JSON-RPC 2.0, section 6).
    guard !replies.isEmpty else { return }
    output.append(replies)
    output.append("]\n")
  }

  private static func append(_ identifier: JSONValue, _ result: Result<RPCResult, RPCError>, to output: inout RPCOutput)
  {
    switch result {
    case .success(.value(let value)):
      output.append(JSONWriter.bytes(of: ["jsonrpc": "2.0", "id": identifier, "result": value]))
    case .success(.text(let text)):
      output.append(#"{"jsonrpc":"2.0","id":"#)
      output.append(JSONWriter.bytes(of: identifier))
      output.append(#","result":"#)
      output.append(text)
      output.append("}")
    case .failure(let error):
      output.append(JSONWriter.bytes(of: ["jsonrpc": "2.0", "id": identifier, "error": error.value]))
    }
  }

  /// So many bytes of ``output`` have been sent.
  public mutating func sent(_ byteCount: Int) { output.sent(byteCount) }
}
