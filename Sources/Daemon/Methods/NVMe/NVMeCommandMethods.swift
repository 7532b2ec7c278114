internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Commands sent as they are, and commands that fail on purpose.
enum NVMeCommandMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] {
    [addInjection(service), removeInjection(service), send(service)]
  }

  enum QueueWord: String, RPCEnumeration {
    case admin, io

    var kind: Controller.QueueKind { self == .admin ? .admin : .io }
  }

  // MARK: Errors on purpose

  private static let unparsable = RPCError.invalidArgument("Failed to parse the request")

  private static func addInjection(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String, queue: QueueWord, injection: ErrorInjection }
    return RPCMethod(
      "bdev_nvme_add_error_injection", undecodable: unparsable,
      decode: { parameters throws(RPCParameterError) in
        let (name, queue): (String, QueueWord) = (
          try parameters.required("name"), try parameters.required("cmd_type")
        )
        var injection = ErrorInjection(opcode: try parameters.required("opc"), status: .success)
        injection.isWithheld = try parameters.optional("do_not_submit", default: false)
        injection.delayMicroseconds = try parameters.optional("timeout_in_us", default: 0)
        injection.count = try parameters.optional("err_count", default: 1)
        let type: UInt8 = try parameters.optional("sct", default: 0)
        let code: UInt8 = try parameters.optional("sc", default: 0)
        injection.status = StatusField(StatusCodeType(rawValue: type), code)
        return Request(name: name, queue: queue, injection: injection)
      },
      body: { request async throws(RPCError) in
        guard let member = service.controllers.set(named: request.name)?.oneInUse else { throw .noSuchDevice }
        do throws(ControllerError) {
          try await member.controller.inject(request.injection, into: request.queue.kind)
        } catch {
          throw RPCError(
            code: -Int(ENXIO), message: "Failed to add the error injection.", detail: "the controller is not connected")
        }
        return true
      })
  }

  private static func removeInjection(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var name: String, queue: QueueWord, opcode: UInt8 }
    return RPCMethod(
      "bdev_nvme_remove_error_injection", undecodable: unparsable,
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.required("name"), queue: try parameters.required("cmd_type"),
          opcode: try parameters.required("opc"))
      },
      body: { request async throws(RPCError) in
        guard let set = service.controllers.set(named: request.name) else { throw .noSuchDevice }
        // It may have been another one's turn when the error was added.
        for member in set.controllers {
          await member.controller.removeInjections(opcode: request.opcode, from: request.queue.kind)
        }
        return true
      })
  }

  // MARK: Commands as they are

  private struct Command: Sendable {
    var name: String
    var queue: QueueWord
    var isToController: Bool
    var entry: SubmissionQueueEntry
    var data: [UInt8]
    var dataByteCount: Int
    var metadataByteCount: Int
    var timeoutMilliseconds: UInt32
  }

  /// Bytes of data at once; upstream's limit is its memory.
  private static let maximumDataByteCount = 16 << 20

  private static func send(_ service: NVMeService) -> RPCMethod {
    RPCMethod(
      "bdev_nvme_send_cmd", undecodable: .invalidParameters("Invalid argument"), decode: decode,
      body: { command async throws(RPCError) in
        guard let member = service.controllers.set(named: command.name)?.oneInUse else {
          throw .invalidParameters("Invalid argument")
        }
        if command.metadataByteCount > 0 {
          throw RPCError(
            code: -32603, message: RPCError.text(of: EOPNOTSUPP),
            detail: "metadata of its own cannot be sent over NVMe/TCP")
        }
        guard service.commandMemory.take(command.dataByteCount) else {
          throw RPCError(
            code: -32603, message: RPCError.text(of: ENOMEM), detail: "the data of other commands takes all there is")
        }
        let reply = try await reply(to: command, from: member.controller, givingBackTo: service.commandMemory)
        var members: JSONObject = ["cpl": .string(Base64URL.encode(reply.completion.encode()))]
        if !command.isToController && command.dataByteCount > 0 {
          members["data"] = .string(Base64URL.encode(Array(reply.data.prefix(command.dataByteCount))))
        }
        return .object(members)
      })
  }

  @Sendable private static func decode(_ parameters: inout RPCParameters) throws(RPCParameterError) -> Command {
    enum Direction: String, RPCEnumeration { case h2c, c2h }
    let direction: Direction
    let (name, queue): (String, QueueWord) = (try parameters.required("name"), try parameters.required("cmd_type"))
    direction = try parameters.required("data_direction")
    let bytes = try self.bytes(try parameters.required("cmdbuf"), "cmdbuf")
    guard bytes.count == SubmissionQueueEntry.byteCount else {
      throw RPCParameterError(path: "cmdbuf", rule: "has \(bytes.count) bytes, must have 64")
    }
    let entry = bytes.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress!) }
    let data = try buffer(&parameters, "data", "data_len")
    let metadata = try buffer(&parameters, "metadata", "metadata_len")
    return Command(
      name: name, queue: queue, isToController: direction == .h2c, entry: entry, data: data.bytes,
      dataByteCount: data.count, metadataByteCount: metadata.count,
      timeoutMilliseconds: try parameters.optional("timeout_ms", default: 0))
  }

  private static func bytes(_ text: String, _ path: String) throws(RPCParameterError) -> [UInt8] {
    guard let bytes = Base64URL.decode(text) else { throw RPCParameterError(path: path, rule: "is not base64url") }
    return bytes
  }

  /// Memory that is given by its content, its length, or both.
  private static func buffer(
    _ parameters: inout RPCParameters, _ key: String, _ lengthKey: String
  ) throws(RPCParameterError) -> (bytes: [UInt8], count: Int) {
    let content: String? = try parameters.optional(key)
    let length: UInt32? = try parameters.optional(lengthKey)
    let bytes = try content.map { text throws(RPCParameterError) in try self.bytes(text, key) } ?? []
    let count = length.map { Int($0) } ?? bytes.count
    if content != nil && count != bytes.count {
      throw RPCParameterError(path: lengthKey, rule: "is \(count), but \(key) has \(bytes.count) bytes")
    }
    guard count <= maximumDataByteCount else {
      throw RPCParameterError(path: lengthKey, rule: "is \(count), must be at most \(maximumDataByteCount)")
    }
    return (bytes, count)
  }

  /// - Throws: -32603 with what upstream says when there is no connection, no room for the command, or no answer in time.
  private static func reply(
    to command: Command, from controller: Controller, givingBackTo memory: CommandMemory
  ) async throws(RPCError) -> AdminReply {
    // What is written, or as many zeroes as were asked for.
    let out =
      command.isToController
      ? command.data.isEmpty
        ? [UInt8](repeating: 0, count: command.dataByteCount) : command.data : []
    let inCount = command.isToController ? 0 : command.dataByteCount
    let (entry, queue) = (command.entry, command.queue)
    let answer = await Deadline.first(milliseconds: command.timeoutMilliseconds) {
      () async -> Result<AdminReply, ControllerError> in
      // A command has its memory until it has ended, whether or not it is still waited for.
      defer { memory.give(command.dataByteCount) }
      do throws(ControllerError) {
        return .success(
          queue == .admin
            ? try await controller.admin(entry, dataOut: out, dataInByteCount: inCount)
            : try await controller.io(entry, dataOut: out, dataInByteCount: inCount))
      } catch { return .failure(error) }
    }
    switch answer {
    case .success(let reply): return reply
    case .failure(let error): throw unanswered(error)
    case nil:
      throw RPCError(code: -32603, message: RPCError.text(of: ETIMEDOUT))
    }
  }

  static func unanswered(_ error: ControllerError) -> RPCError {
    let code = if case .busy = error { EBUSY } else { ENXIO }
    return RPCError(code: -32603, message: RPCError.text(of: code), detail: "\(error)")
  }
}
