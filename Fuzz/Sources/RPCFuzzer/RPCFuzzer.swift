import JSONRPC

/// Bytes of a client of JSON-RPC, whole and in pieces: nothing may trap, every piece-wise reading must give the same
/// replies as the whole, bounds must hold, and what the writer writes must read as it was.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRPC(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = FuzzInput(UnsafeBufferPointer(start: data, count: count))
  let limits = RPCLimits(
    json: JSONLimits(
      maximumByteCount: 16 + 4 * Int(input.byte()), maximumDepth: 1 + Int(input.byte() % 8),
      maximumValueCount: 1 + Int(input.byte())), maximumOutstandingCount: 1 + Int(input.byte() % 8),
    maximumOutputByteCount: 1 + 4 * Int(input.byte()))
  let order = input.byte()
  let piece = 1 + Int(input.byte() % 16)
  let bytes = Array(input.rest())
  let whole = converse(bytes, piece: max(1, bytes.count), sendByteCount: .max, order: order, limits: limits)
  // In order, replies do not depend on how many requests are outstanding at once.
  let inPieces = converse(bytes, piece: piece, sendByteCount: piece, order: order, limits: limits)
  check(whole.sorted() == inPieces.sorted(), "pieces of \(piece) bytes give other replies")
  for line in whole {
    do throws(JSONError) {
      let value = try JSONParser.value(of: line)
      check(JSONWriter.text(of: value) + "\n" == line, "a reply that is written differently: \(line)")
    } catch {
      check(false, "a reply that is no JSON: \(line)")
    }
  }
  readParameters(bytes)
  return 0
}

/// Gives a connection the bytes, answers its requests, and returns the lines that come out.
private func converse(_ bytes: [UInt8], piece: Int, sendByteCount: Int, order: UInt8, limits: RPCLimits) -> [String] {
  var connection = RPCConnection(limits: limits)
  var output: [UInt8] = []
  var outstanding: [RPCRequest] = []
  var offset = 0

  func work() {
    while true {
      while let request = connection.nextRequest() {
        outstanding.append(request)
        check(connection.outstandingCount <= limits.maximumOutstandingCount * 2, "more are outstanding than may be")
      }
      if !connection.output.isEmpty {
        let piece = connection.output.withFront { $0.joined().prefix(sendByteCount) + [] }
        output += piece
        connection.sent(piece.count)
        continue
      }
      guard !outstanding.isEmpty else { return }
      let index = order % 2 == 0 ? 0 : outstanding.count - 1
      let request = outstanding.remove(at: index)
      connection.reply(
        to: request.token,
        request.method.utf8.count % 2 == 0 ? .success(.value(.string(request.method))) : .failure(.methodNotFound))
    }
  }

  while offset < bytes.count {
    if connection.wantsInput {
      let end = min(bytes.count, offset + piece)
      bytes[offset..<end].withUnsafeBytes { connection.receive($0) }
      offset = end
    } else {
      check(connection.isFinished, "a connection that wants nothing and is not finished")
      break
    }
    work()
  }
  connection.endInput()
  work()
  check(connection.isFinished, "a connection that does not end")
  check(output.isEmpty || output.last == UInt8(ascii: "\n"), "a reply without an end")
  return String(decoding: output, as: UTF8.self).split(separator: "\n").map { "\($0)\n" }
}

/// Asks every number for its integers, as methods would: what there is has the number's value.
private func askNumbers(_ value: JSONValue) {
  switch value {
  case .number(let number):
    ask(number, as: Int64.self)
    ask(number, as: UInt64.self)
    ask(number, as: UInt8.self)
  case .array(let elements): for element in elements { askNumbers(element) }
  case .object(let object): for member in object.members { askNumbers(member.value) }
  case .null, .bool, .string: break
  }
}

private func ask<Integer: FixedWidthInteger>(_ number: JSONNumber, as type: Integer.Type) {
  guard let integer = number.integer(type) else { return }
  // Both are rounded in the same way.
  check(Double(integer) == number.double, "\(number.text) is \(integer)")
}

/// The same bytes as parameters of a method.
private func readParameters(_ bytes: [UInt8]) {
  let value = bytes.withUnsafeBytes { try? JSONParser.value(of: $0) }
  guard let value else { return }
  askNumbers(value)
  var parameters = RPCParameters(value)
  do throws(RPCParameterError) {
    _ = try parameters.optional("a", as: UInt64.self)
    _ = try parameters.optional("b", as: Int32.self)
    _ = try parameters.optional("c", as: [String].self)
    _ = try parameters.optionalObject("d") { inner throws(RPCParameterError) in
      try inner.optional("e", in: 1...100 as ClosedRange<UInt8>)
    }
    try parameters.finish()
  } catch {
    check(!error.description.isEmpty, "an error without a description")
  }
}
