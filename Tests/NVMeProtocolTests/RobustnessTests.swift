import NVMeProtocol
import TestSupport
import Testing

/// Every decoder against random bytes, truncations and flipped bits: a value or a `DecodingError`, never a trap.
@Suite struct RobustnessTests {
  /// A decoder under test: decodes, and encodes what came out.
  struct Decoder: Sendable, CustomTestStringConvertible {
    var name: String
    var seed: [UInt8]
    var run: @Sendable ([UInt8]) throws -> Void
    var testDescription: String { name }

    init<T: WireStructure>(_ type: T.Type, _ vector: Vector) {
      name = type.structureName
      seed = vector.bytes
      run = { bytes in
        let value = try T(decoding: bytes)
        let encoded = value.encode()
        // What we encoded ourselves we also accept.
        let again = try T(decoding: encoded)
        #expect(again.encode().count == encoded.count)
      }
    }
  }

  static let decoders: [Decoder] = [
    Decoder(IdentifyController.self, .identifyController), Decoder(IdentifyNamespace.self, .identifyNamespace),
    Decoder(NamespaceIdentifierList.self, .activeNamespaceList),
    Decoder(NamespaceDescriptorList.self, .namespaceDescriptors),
    Decoder(NVMCommandSetNamespace.self, .nvmCommandSetNamespace),
    Decoder(NVMCommandSetController.self, .nvmCommandSetController),
    Decoder(IndependentNamespace.self, .independentNamespace), Decoder(ConnectData.self, .connectData),
    Decoder(HostBehaviorSupport.self, .hostBehaviorSupport), Decoder(ErrorInformationLog.self, .errorInformation),
    Decoder(SMARTHealthLog.self, .smartHealth), Decoder(FirmwareSlotLog.self, .firmwareSlot),
    Decoder(ChangedNamespaceList.self, .changedNamespaces), Decoder(CommandEffectsLog.self, .commandEffects),
    Decoder(SupportedLogPages.self, .supportedLogPages), Decoder(ANALog.self, .ana),
    Decoder(DiscoveryLogHeader.self, .discoveryHeader), Decoder(DiscoveryLogEntry.self, .discoveryEntry),
  ]

  func attempt(_ decoder: Decoder, _ bytes: [UInt8]) {
    do { try decoder.run(bytes) } catch is DecodingError {} catch { Issue.record("\(decoder.name): \(error)") }
  }

  @Test(arguments: decoders) func randomBytes(decoder: Decoder) {
    var generator = SplitMix64(seed: 1)
    for _ in 0..<100 {
      let count = Int.random(in: 0...5000, using: &generator)
      attempt(decoder, (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
  }

  @Test(arguments: decoders) func flippedBytes(decoder: Decoder) {
    var generator = SplitMix64(seed: 2)
    for _ in 0..<100 {
      var bytes = decoder.seed
      for _ in 0..<Int.random(in: 1...8, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      attempt(decoder, bytes)
    }
  }

  @Test(arguments: decoders) func truncations(decoder: Decoder) {
    var generator = SplitMix64(seed: 3)
    for _ in 0..<50 {
      attempt(decoder, Array(decoder.seed.prefix(Int.random(in: 0...decoder.seed.count, using: &generator))))
    }
    let error = #expect(throws: DecodingError.self) { try decoder.run([]) }
    #expect(error?.description.hasPrefix(decoder.name) == true)
  }
}
