internal import BlockDevice
internal import Glibc
internal import JSONRPC

/// Firmware: an image is downloaded to a controller, committed, and the controller reset.
enum NVMeFirmwareMethods {
  static func all(_ service: NVMeService) -> [RPCMethod] { [apply(service)] }

  /// Bytes of one Firmware Image Download, as upstream has it.
  private static let pieceByteCount = 4096
  /// Images beyond are not read at all.
  private static let maximumImageByteCount = 256 << 20

  private static func apply(_ service: NVMeService) -> RPCMethod {
    struct Request: Sendable { var file, device: String }
    return RPCMethod(
      "bdev_nvme_apply_firmware", undecodable: .internalError("spdk_json_decode_object failed."),
      decode: { parameters throws(RPCParameterError) in
        Request(file: try parameters.required("filename"), device: try parameters.required("bdev_name"))
      },
      body: { request async throws(RPCError) in
        guard let device = service.devices.device(named: request.device) else {
          throw .internalError("bdev \(request.device) could not be opened")
        }
        guard let paths = device.nvme?.paths,
          let controller = (paths.first { $0.snapshot.state == .enabled } ?? paths.first)?.controller.controller
        else { throw .internalError("Controller information for \(request.device) were not found.") }
        let image = try await read(request.file)
        try await download(image, to: controller)
        // Commit action 1: the image replaces the one in the slot that the controller chooses, and is activated by the
        // next reset (NVMe Base 2.1, section 5.1.8).
        var commit = SubmissionQueueEntry(opcode: AdminOpcode.firmwareCommit.rawValue)
        commit.cdw10 = 1 << 3
        let reply = try await answer(of: commit, from: controller, failure: "firmware commit failed.")
        guard reply.status.isSuccess else {
          throw RPCError(code: -32603, message: "firmware commit failed.", detail: "\(reply.status)")
        }
        guard await controller.beginReset() == nil else { throw .internalError("Controller reset failed.") }
        return "firmware commit succeeded. Controller reset in progress."
      })
  }

  private static func download(_ image: [UInt8], to controller: Controller) async throws(RPCError) {
    for start in stride(from: 0, to: image.count, by: pieceByteCount) {
      let piece = Array(image[start..<min(start + pieceByteCount, image.count)])
      var command = SubmissionQueueEntry(opcode: AdminOpcode.firmwareImageDownload.rawValue)
      // NUMD is zeroes based; OFST in dwords (NVMe Base 2.1, section 5.1.9).
      command.cdw10 = UInt32(piece.count / 4 - 1)
      command.cdw11 = UInt32(start / 4)
      let reply = try await answer(of: command, from: controller, dataOut: piece, failure: "firmware download failed.")
      guard reply.status.isSuccess else {
        throw RPCError(code: -32603, message: "firmware download failed .", detail: "\(reply.status)")
      }
    }
  }

  private static func answer(
    of command: SubmissionQueueEntry, from controller: Controller, dataOut: [UInt8] = [], failure: String
  ) async throws(RPCError) -> AdminReply {
    do throws(ControllerError) {
      return try await controller.admin(command, dataOut: dataOut)
    } catch {
      throw RPCError(code: -32603, message: failure, detail: "\(error)")
    }
  }

  /// Reads the file away from the reactors.
  private static func read(_ path: String) async throws(RPCError) -> [UInt8] {
    let result = await Task.detached { () -> Result<[UInt8], RPCError> in
      do throws(RPCError) { return .success(try contents(of: path)) } catch { return .failure(error) }
    }.value
    return try result.get()
  }

  private static func contents(of path: String) throws(RPCError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else {
      throw RPCError(code: -32603, message: "open file failed.", detail: RPCError.text(of: errno))
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .internalError("fstat failed.") }
    let count = Int(status.st_size)
    guard count % 4 == 0 else { throw .internalError("Firmware image size is not multiple of 4.") }
    guard status.st_mode & S_IFMT == S_IFREG, (4...maximumImageByteCount).contains(count) else {
      throw RPCError(
        code: -32603, message: "Read firmware image failed!",
        detail: "it must be a regular file of 4 bytes to \(maximumImageByteCount >> 20) MiB")
    }
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress! + filled, count - filled) }
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { throw .internalError("Read firmware image failed!") }
      filled += got
    }
    return bytes
  }
}
