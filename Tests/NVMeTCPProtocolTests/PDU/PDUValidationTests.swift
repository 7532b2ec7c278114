import NVMeTCPProtocol
import TestSupport
import Testing

/// One broken rule: a golden PDU with some bytes changed, and the FES and FEI it must yield.
struct BrokenPDU: Sendable, CustomTestStringConvertible {
  var rule: String
  var vector: String
  /// Byte offset → new bytes, little endian as on the wire.
  var changes: [(offset: Int, bytes: [UInt8])]
  var status: FatalErrorStatus
  var information: UInt32
  var field: PDUField
  var receiver: ConnectionRole?
  var parameters: (@Sendable (inout ConnectionParameters) -> Void)?

  var testDescription: String { "\(vector): \(rule)" }

  init(
    _ vector: String, _ rule: String, _ changes: [(Int, [UInt8])], _ status: FatalErrorStatus, fei: UInt32,
    _ field: PDUField, receiver: ConnectionRole? = nil,
    parameters: (@Sendable (inout ConnectionParameters) -> Void)? = nil
  ) {
    self.rule = rule
    self.vector = vector
    self.changes = changes.map { (offset: $0.0, bytes: $0.1) }
    self.status = status
    information = fei
    self.field = field
    self.receiver = receiver
    self.parameters = parameters
  }

  private static let request = "ICReq, both digests, HPDA 31, MAXR2T 3"
  private static let response = "ICResp, header digest, CPDA 15, MAXH2CDATA 4 MiB"
  private static let termination = "H2CTermReq: invalid PDU header field, HLEN of an R2T"
  private static let command = "CapsuleCmd"
  private static let commandDigest = "CapsuleCmd, header digest"
  private static let commandData = "CapsuleCmd, in-capsule data"
  private static let commandFull = "CapsuleCmd, in-capsule data, digests, 16-byte alignment"
  private static let completion = "CapsuleResp"
  private static let h2c = "H2CData, last"
  private static let h2cFull = "H2CData, last, digests, 64-byte alignment"
  private static let c2h = "C2HData, last, success"
  private static let c2hFull = "C2HData, digests, 32-byte alignment"
  private static let r2t = "R2T"
  private static let r2tDigest = "R2T, header digest"

  static let all: [BrokenPDU] = [
    // PDU-Type
    BrokenPDU(command, "unknown type 8", [(0, [0x08])], .invalidPDUHeaderField, fei: 0, .type),
    BrokenPDU(command, "unknown type 0Bh", [(0, [0x0B])], .invalidPDUHeaderField, fei: 0, .type),
    BrokenPDU(command, "unknown type FFh", [(0, [0xFF])], .invalidPDUHeaderField, fei: 0, .type),
    BrokenPDU(command, "command at a host", [], .invalidPDUHeaderField, fei: 0, .type, receiver: .host),
    BrokenPDU(h2c, "H2CData at a host", [], .invalidPDUHeaderField, fei: 0, .type, receiver: .host),
    BrokenPDU(r2t, "R2T at a controller", [], .invalidPDUHeaderField, fei: 0, .type, receiver: .controller),
    BrokenPDU(c2h, "C2HData at a controller", [], .invalidPDUHeaderField, fei: 0, .type, receiver: .controller),
    BrokenPDU(termination, "H2CTermReq at a host", [], .invalidPDUHeaderField, fei: 0, .type, receiver: .host),
    BrokenPDU(request, "second ICReq", [], .pduSequenceError, fei: 0, .type) { $0.initialized = true },
    BrokenPDU(response, "second ICResp", [], .pduSequenceError, fei: 0, .type) { $0.initialized = true },
    BrokenPDU(command, "command before ICReq", [], .pduSequenceError, fei: 0, .type) { $0.initialized = false },
    BrokenPDU(completion, "response before ICResp", [], .pduSequenceError, fei: 0, .type) { $0.initialized = false },
    BrokenPDU(c2h, "data before ICResp", [], .pduSequenceError, fei: 0, .type) { $0.initialized = false },
    // FLAGS
    BrokenPDU(request, "a flag in ICReq", [(1, [0x01])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(response, "a flag in ICResp", [(1, [0x80])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(termination, "header digest in H2CTermReq", [(1, [0x01])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(command, "LAST_PDU in a command", [(1, [0x04])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(command, "reserved flag in a command", [(1, [0x10])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(completion, "data digest in a response", [(1, [0x02])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(r2t, "LAST_PDU in R2T", [(1, [0x04])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(h2c, "SUCCESS in H2CData", [(1, [0x0C])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(c2h, "SUCCESS without LAST_PDU", [(1, [0x08])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(c2h, "reserved flag in C2HData", [(1, [0x1C])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(command, "header digest not negotiated", [(1, [0x01])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(commandDigest, "header digest missing", [(1, [0x00])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(r2tDigest, "header digest missing", [(1, [0x00])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(h2c, "data digest not negotiated", [(1, [0x06])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(h2cFull, "data digest missing", [(1, [0x05])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(c2hFull, "data digest missing", [(1, [0x01])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(commandFull, "data digest missing", [(1, [0x01])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(commandDigest, "data digest without data", [(1, [0x03])], .invalidPDUHeaderField, fei: 1, .flags),
    // HLEN
    BrokenPDU(request, "HLEN 127", [(2, [127])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(response, "HLEN 0", [(2, [0])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(termination, "HLEN 152", [(2, [152])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(command, "HLEN 64", [(2, [64])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(completion, "HLEN 255", [(2, [255])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(h2c, "HLEN 23", [(2, [23])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(c2h, "HLEN 28", [(2, [28])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(r2t, "HLEN 20", [(2, [20])], .invalidPDUHeaderField, fei: 2, .headerLength),
    // PDO
    BrokenPDU(request, "PDO in ICReq", [(3, [128])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(termination, "PDO in H2CTermReq", [(3, [24])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(command, "PDO without data", [(3, [72])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(completion, "PDO in a response", [(3, [24])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(r2t, "PDO in R2T", [(3, [24])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(commandData, "PDO 0 with data", [(3, [0])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(h2c, "PDO inside the header", [(3, [20])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(c2h, "PDO inside the header", [(3, [8])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(c2hFull, "PDO inside the digest", [(3, [24])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(c2h, "PDO not a multiple of 4", [(3, [26])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(c2hFull, "PDO not aligned to HPDA", [(3, [36])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(commandFull, "PDO not aligned to CPDA", [(3, [84])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(h2cFull, "PDO not aligned to CPDA", [(3, [32])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    // PLEN
    BrokenPDU(request, "PLEN 129", [(4, [129])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(response, "PLEN 2^32-1", [(4, [255, 255, 255, 255])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(termination, "PLEN 23", [(4, [23])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(termination, "PLEN 153", [(4, [153])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(command, "PLEN 0", [(4, [0])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(command, "PLEN below the header", [(4, [71])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(commandDigest, "PLEN without the digest", [(4, [72])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(completion, "PLEN with data", [(4, [28])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(r2t, "PLEN with data", [(4, [25])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(r2tDigest, "PLEN without the digest", [(4, [24])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(h2c, "PLEN without data", [(4, [24])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(h2cFull, "PLEN without data", [(4, [68])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(c2h, "PLEN 0", [(4, [0])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(commandFull, "PLEN below PDO", [(4, [79])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(commandFull, "PLEN of nothing but a digest", [(4, [84])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(commandData, "more in-capsule data than allowed", [], .limitExceeded, fei: 0, .length) {
      $0.maximumInCapsuleDataLength = 15
    },
    BrokenPDU(
      commandData, "PLEN 2^32-1", [(4, [255, 255, 255, 255])], .limitExceeded, fei: 0, .length),
    // ICReq
    BrokenPDU(request, "PFV 1", [(8, [1])], .unsupportedParameter, fei: 8, .pduFormatVersion),
    BrokenPDU(request, "PFV 100h", [(8, [0, 1])], .unsupportedParameter, fei: 8, .pduFormatVersion),
    BrokenPDU(request, "HPDA 32", [(10, [32])], .invalidPDUHeaderField, fei: 10, .hostPDUDataAlignment),
    BrokenPDU(request, "reserved bit of DGST", [(11, [4])], .invalidPDUHeaderField, fei: 11, .digests),
    // ICResp
    BrokenPDU(response, "PFV 1", [(8, [1])], .unsupportedParameter, fei: 8, .pduFormatVersion),
    BrokenPDU(response, "CPDA 32", [(10, [32])], .invalidPDUHeaderField, fei: 10, .controllerPDUDataAlignment),
    BrokenPDU(response, "reserved bit of DGST", [(11, [0x81])], .invalidPDUHeaderField, fei: 11, .digests),
    BrokenPDU(response, "header digest not asked for", [], .invalidPDUHeaderField, fei: 11, .digests) {
      $0.headerDigest = false
    },
    BrokenPDU(response, "data digest not asked for", [(11, [2])], .invalidPDUHeaderField, fei: 11, .digests) {
      $0.dataDigest = false
    },
    BrokenPDU(
      response, "MAXH2CDATA 4092", [(12, [0xFC, 0x0F, 0])], .invalidPDUHeaderField, fei: 12, .maximumH2CDataLength),
    BrokenPDU(response, "MAXH2CDATA 0", [(12, [0, 0, 0])], .invalidPDUHeaderField, fei: 12, .maximumH2CDataLength),
    BrokenPDU(response, "MAXH2CDATA odd", [(12, [2])], .invalidPDUHeaderField, fei: 12, .maximumH2CDataLength),
    // H2CData and C2HData
    BrokenPDU(h2c, "DATAO 1", [(12, [1])], .invalidPDUHeaderField, fei: 12, .transferOffset),
    BrokenPDU(h2c, "DATAL below the data", [(16, [15])], .invalidPDUHeaderField, fei: 16, .transferLength),
    BrokenPDU(h2c, "DATAL 0", [(16, [0])], .invalidPDUHeaderField, fei: 16, .transferLength),
    BrokenPDU(h2cFull, "DATAL counts the digest", [(16, [20])], .invalidPDUHeaderField, fei: 16, .transferLength),
    BrokenPDU(
      h2c, "DATAO + DATAL over 2^32", [(12, [0xFC, 0xFF, 0xFF, 0xFF])], .dataTransferOutOfRange, fei: 0,
      .transferLength),
    BrokenPDU(h2c, "more than MAXH2CDATA", [], .limitExceeded, fei: 0, .transferLength) {
      $0.maximumH2CDataLength = 12
    },
    BrokenPDU(c2h, "DATAO 2", [(12, [2])], .invalidPDUHeaderField, fei: 12, .transferOffset),
    BrokenPDU(c2h, "DATAL above the data", [(16, [17])], .invalidPDUHeaderField, fei: 16, .transferLength),
    BrokenPDU(
      c2h, "DATAL 2^32-1", [(16, [255, 255, 255, 255])], .invalidPDUHeaderField, fei: 16, .transferLength),
    BrokenPDU(
      c2hFull, "DATAO + DATAL over 2^32", [(12, [0xF4, 0xFF, 0xFF, 0xFF])], .dataTransferOutOfRange, fei: 0,
      .transferLength),
    // R2T
    BrokenPDU(r2t, "R2TO 2", [(12, [2])], .invalidPDUHeaderField, fei: 12, .readyToTransferOffset),
    BrokenPDU(r2t, "R2TL 0", [(16, [0, 0, 0])], .invalidPDUHeaderField, fei: 16, .readyToTransferLength),
    BrokenPDU(
      r2t, "R2TO + R2TL over 2^32", [(12, [0xFC, 0xFF, 0xFF, 0xFF])], .dataTransferOutOfRange, fei: 0,
      .readyToTransferLength),
    // Order: of several broken fields the lowest is reported.
    BrokenPDU(
      r2t, "type, flags, HLEN, PDO and PLEN", [(0, [0x0A, 0xFF, 0, 255, 1])], .invalidPDUHeaderField, fei: 0, .type),
    BrokenPDU(
      r2t, "flags, HLEN, PDO and PLEN", [(1, [0xFF, 0, 255, 1])], .invalidPDUHeaderField, fei: 1, .flags),
    BrokenPDU(r2t, "HLEN, PDO and PLEN", [(2, [0, 255, 1])], .invalidPDUHeaderField, fei: 2, .headerLength),
    BrokenPDU(r2t, "PDO and PLEN", [(3, [255, 1])], .invalidPDUHeaderField, fei: 3, .dataOffset),
    BrokenPDU(
      r2t, "PLEN and R2TO", [(4, [1]), (12, [1])], .invalidPDUHeaderField, fei: 4, .length),
    BrokenPDU(
      response, "CPDA, DGST and MAXH2CDATA", [(10, [200, 255, 1, 0, 0])], .invalidPDUHeaderField, fei: 10,
      .controllerPDUDataAlignment),
  ]
}

@Suite("PDU validation")
struct PDUValidationTests {
  @Test("each broken rule yields its FES and FEI", arguments: BrokenPDU.all)
  func brokenRule(broken: BrokenPDU) throws {
    let vector = try #require(GoldenPDU.all.first { $0.name == broken.vector })
    var bytes = vector.bytes
    for change in broken.changes {
      bytes.replaceSubrange(change.offset..<change.offset + change.bytes.count, with: change.bytes)
    }
    var parameters = vector.parameters
    broken.parameters?(&parameters)
    let violation = try #require(
      bytes.withUnsafeBytes {
        PDUValidation.validate(
          PDUCommonHeader(loading: $0.baseAddress!), headerBytes: $0.baseAddress!,
          receiver: broken.receiver ?? vector.receiver, parameters: parameters)
      })
    #expect(violation.fatalErrorStatus == broken.status)
    #expect(violation.fatalErrorInformation == broken.information)
    #expect(violation.field == broken.field)
    #expect(violation.type == bytes[0])
    #expect(violation.isReportable == (bytes[0] != 2 && bytes[0] != 3))
    // The sentence names the PDU, or its number where it has no name.
    let type = PDUType(rawValue: bytes[0])
    #expect(violation.description.contains(type.map { "\($0.abbreviation)" } ?? "type 0x"))
  }

  @Test("every FES but header digest error comes from the table")
  func everyStatus() {
    let covered = Set(BrokenPDU.all.map(\.status))
    #expect(covered == Set(FatalErrorStatus.allCases).subtracting([.headerDigestError]))
    let digest = PDUViolation.headerDigest(type: 9, computed: 1, received: 0xDEAD_BEEF)
    #expect(digest.fatalErrorStatus == .headerDigestError)
    #expect(digest.fatalErrorInformation == 0xDEAD_BEEF)
    #expect(digest.description == "R2T: HDGST is 0xdeadbeef, expected 0x1")
  }

  @Test("sentences for people")
  func sentences() {
    let length = PDUViolation(
      .invalidPDUHeaderField, type: 7, field: .headerLength, rule: .equal, expected: 24, received: 20)
    #expect(length.description == "C2HData: HLEN (byte 2) is 20, expected 24")
    let unknown = PDUViolation(
      .invalidPDUHeaderField, type: 0xFF, field: .type, rule: .knownType, expected: 0, received: 0xFF)
    #expect(unknown.description == "PDU of type 0xff: no such type in NVMe/TCP")
    #expect(FatalErrorStatus.limitExceeded.name(sender: .host).description == "R2T Limit Exceeded")
    #expect(FatalErrorStatus.limitExceeded.name(sender: .controller).description == "Data Transfer Limit Exceeded")
  }

  @Test("padding beyond the first aligned offset is accepted")
  func wideOffset() {
    var bytes = C2HDataVectors.all[0].bytes
    bytes[3] = 252
    // PLEN 268: 252 bytes before 16 of data.
    bytes.replaceSubrange(4..<6, with: [0x0C, 0x01])
    let violation = bytes.withUnsafeBytes {
      PDUValidation.validate(
        PDUCommonHeader(loading: $0.baseAddress!), headerBytes: $0.baseAddress!, receiver: .host,
        parameters: GoldenPDU.parameters())
    }
    #expect(violation == nil)
  }

  @Test("random headers never trap, and what is accepted is consistent", arguments: 0..<8 as Range<UInt64>)
  func random(seed: UInt64) {
    var generator = SplitMix64(seed: seed)
    var accepted = 0
    for _ in 0..<20_000 {
      var bytes = [UInt8](repeating: 0, count: 128)
      let vector = GoldenPDU.all.randomElement(using: &generator)!
      // Half of the time noise, half of the time a golden PDU with a few bytes changed.
      if Bool.random(using: &generator) {
        for index in 0..<24 { bytes[index] = UInt8.random(in: .min ... .max, using: &generator) }
        bytes[0] &= 0x0F
      } else {
        bytes.replaceSubrange(0..<min(128, vector.bytes.count), with: vector.bytes.prefix(128))
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
          bytes[Int.random(in: 0..<24, using: &generator)] = UInt8.random(in: .min ... .max, using: &generator)
        }
      }
      var parameters = vector.parameters
      if Bool.random(using: &generator) { parameters.initialized.toggle() }
      parameters.hostPDUDataAlignmentBytes = Int.random(in: 0...31, using: &generator) * 4
      let receiver: ConnectionRole = Bool.random(using: &generator) ? vector.receiver : .host
      bytes.withUnsafeBytes {
        let header = PDUCommonHeader(loading: $0.baseAddress!)
        let violation = PDUValidation.validate(
          header, headerBytes: $0.baseAddress!, receiver: receiver, parameters: parameters)
        if let violation {
          #expect(!violation.description.isEmpty)
        } else {
          accepted += 1
          #expect(Int(header.length) >= Int(header.headerLength))
          #expect(header.dataLength < Int(header.length))
          #expect(header.dataLength == 0 || Int(header.dataOffset) + header.dataLength <= Int(header.length))
        }
      }
    }
    #expect(accepted > 0)
  }
}
