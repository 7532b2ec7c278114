import NVMeProtocol
import Testing

@Suite struct FabricsTests {
  /// A control character that is replaced would make the name longer than it may be (found by the fuzzer).
  @Test func connectDataWithControlCharacters() throws {
    var data = ConnectData(
      hostIdentifier: Identifier128(), controllerIdentifier: 0xFFFF, subsystemNQN: "nqn.2014-08.org:s",
      hostNQN: String(repeating: "h", count: 223))
    #expect(try ConnectData(decoding: data.encode()) == data)
    data.hostNQN = String(repeating: "\u{16}", count: 223)
    #expect(throws: DecodingError.self) { _ = try ConnectData(decoding: data.encode()) }
  }

  @Test func connectData() throws {
    let data = try ConnectData(decoding: Vector.connectData.bytes)
    #expect(data.encode() == Vector.connectData.bytes)
    #expect(data.hostIdentifier == Identifier128("12345678-9abc-4def-8123-456789abcdef"))
    #expect(data.controllerIdentifier == ConnectData.anyController)
    #expect(data.subsystemNQN == "nqn.2014-08.org:t" && data.hostNQN == "nqn.2014-08.org:h")

    var unterminated = Vector.connectData.bytes
    for index in 256..<512 { unterminated[index] = 0x61 }
    let error = #expect(throws: DecodingError.self) { try ConnectData(decoding: unterminated) }
    #expect(error?.offset == 256)
    var notText = Vector.connectData.bytes
    notText[515] = 0xFF
    #expect(throws: DecodingError.self) { try ConnectData(decoding: notText) }
  }

  @Test func connectResponses() {
    let connected = ConnectResponse(CompletionQueueEntry(dword0: 0x0002_0007))
    #expect(connected == .connected(controllerIdentifier: 7, authenticationRequired: true))
    #expect(connected.dword0 == 0x0002_0007)
    let refused = ConnectResponse(CompletionQueueEntry(status: .connectInvalidParameters, dword0: 0x0001_0100))
    #expect(refused == .invalidParameter(offset: 256, inData: true, status: .connectInvalidParameters))
    #expect(ConnectResponse.fieldName(offset: 256, inData: true) == "SUBNQN")
    #expect(ConnectResponse.fieldName(offset: 42, inData: false) == "QID")
    #expect(ConnectResponse(CompletionQueueEntry(status: .connectInvalidHost)) == .refused(.connectInvalidHost))
  }

  @Test func registers() {
    // What Linux nvmet shows: MQES 1023, CQR, TO 15 (7.5 s), CSS NVM and I/O command sets.
    let capabilities = ControllerCapabilities(rawValue: 0x0000_0820_0F01_03FF)
    #expect(capabilities.maximumQueueEntries == 1024 && capabilities.contiguousQueuesRequired)
    #expect(capabilities.timeoutMilliseconds == 7500 && capabilities.minimumPageBytes == 4096)
    #expect(capabilities.supportsNVMCommandSet && capabilities.supportsIOCommandSets)
    #expect(
      ControllerCapabilities(maximumQueueEntries: 1024, timeoutMilliseconds: 7500, commandSets: 0x41) == capabilities)
    let hostile = ControllerCapabilities(rawValue: .max)
    #expect(hostile.minimumPageBytes == 4096 << 15 && hostile.maximumQueueEntries == 65536)
    #expect(ControllerVersion(rawValue: 0x0002_0100) == ControllerVersion(major: 2, minor: 1))
    #expect(ControllerVersion(rawValue: 0x0001_0201).description == "1.2.1")

    var configuration = ControllerConfigurationRegister(enable: true, commandSet: .allSupported)
    #expect(configuration.rawValue == 0x0046_0061)
    configuration.shutdownNotification = .normal
    #expect(configuration.rawValue == 0x0046_4061)
    #expect(configuration.submissionEntryExponent == 6 && configuration.completionEntryExponent == 4)
    #expect(ControllerStatus(rawValue: 0b1001) == ControllerStatus(ready: true, shutdown: .complete))
    #expect(ControllerStatus(rawValue: 0b10).fatal)
    #expect(SubsystemReset.value == 0x4E56_4D65)
  }

  @Test func features() throws {
    let queues = NumberOfQueues(submissionQueues: 4, completionQueues: 8)
    #expect(queues.rawValue == 0x0007_0003 && queues.pairs == 4)
    #expect(NumberOfQueues(submissionQueues: 0, completionQueues: 1 << 20).rawValue == 0xFFFE_0000)
    #expect(VolatileWriteCache(enabled: true).rawValue == 1)
    #expect(ErrorRecovery(rawValue: 0x0001_0005).deallocatedBlockErrorEnabled)
    #expect(KeepAliveTimer(rawValue: 10_000).timeoutMilliseconds == 10_000)
    let behavior = try HostBehaviorSupport(decoding: Vector.hostBehaviorSupport.bytes)
    #expect(behavior.encode() == Vector.hostBehaviorSupport.bytes)
    #expect(behavior.advancedCommandRetryEnable == 1 && behavior.copyDescriptorFormatsEnable == 12)
    let identifier = HostIdentifierFeature(Identifier128(high: 1, low: 2))
    #expect(try HostIdentifierFeature(decoding: identifier.encode()) == identifier)
  }

  @Test func identifiers() {
    #expect(Identifier128("0123456789abcdef0123456789ABCDEF")?.high == 0x0123_4567_89AB_CDEF)
    for bad in ["", "0123", "0123456789abcdef0123456789abcdeg", "0123456789abcdef0123456789abcdef0"] {
      #expect(Identifier128(bad) == nil)
    }
    #expect(Identifier128(bytes: [1, 2, 3]) == nil)
    let identifier = Identifier128(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
    #expect(identifier.bytes == Array(0..<16))
    #expect(Identifier128(bytes: identifier.bytes) == identifier)
  }
}
