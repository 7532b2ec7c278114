import Testing

@testable import NVMeTCPProtocol

@Suite("Expected headers")
struct ExpectedHeadersTests {
  private static func parameters(_ bits: Int, isInitialized: Bool) -> ConnectionParameters {
    var parameters = ConnectionParameters()
    parameters.headerDigest = bits & 1 != 0
    parameters.dataDigest = bits & 2 != 0
    parameters.hostPDUDataAlignmentBytes = bits & 4 != 0 ? 64 : 4
    parameters.controllerPDUDataAlignmentBytes = bits & 4 != 0 ? 128 : 4
    parameters.initialized = isInitialized
    return parameters
  }

  /// Headers as they are sent, all bits set and none, and each of these with every one and two bits changed.
  private static func words(_ parameters: ConnectionParameters) -> [UInt64] {
    var seeds: [UInt64] = [0, .max]
    for type in PDUType.allCases {
      for length in [0, 1, 4096] {
        for flags: PDUFlags in [[], .last, [.last, .success], .success] {
          seeds.append(PDUCommonHeader(type: type, flags: flags, dataLength: length, parameters: parameters).word)
        }
      }
    }
    var words: [UInt64] = []
    for seed in Set(seeds) {
      words.append(seed)
      for first in 0..<64 {
        for second in first..<64 { words.append(seed ^ 1 << UInt64(first) ^ 1 << UInt64(second)) }
      }
    }
    return words
  }

  @Test("what is accepted at a glance keeps every rule", arguments: 0..<8, [false, true])
  func neverMoreThanTheRules(bits: Int, isInitialized: Bool) {
    let parameters = Self.parameters(bits, isInitialized: isInitialized)
    for role in [ConnectionRole.host, .controller] {
      let expected = ExpectedHeaders(role: role, parameters: parameters)
      var acceptedCount = 0
      for word in Self.words(parameters) {
        let header = PDUCommonHeader(word: word)
        guard expected.accepts(header) else { continue }
        acceptedCount += 1
        let violation = PDUValidation.validateCommonHeader(header, receiver: role, parameters: parameters)
        if let violation { Issue.record("\(String(word, radix: 16)): \(violation)") }
      }
      #expect(isInitialized ? acceptedCount > 1 : acceptedCount == 0)
    }
  }
}
