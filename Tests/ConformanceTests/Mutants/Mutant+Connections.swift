import NVMeProtocol
import NVMeTCPProtocol

/// Connections that are initialized wrongly, and Connect.
extension Mutant {
  static let initialization = [
    Mutant(
      "grants data digests that were not asked for beside header digests",
      fails: ["initialize.digests": "DGST"],
      remembering: {
        var isHeaderOnly = false
        return { passage in
          if passage.pdu.type == .initializeConnectionRequest { isHeaderOnly = passage.pdu.bytes[11] == 1 }
          if passage.pdu.type == .initializeConnectionResponse, isHeaderOnly { passage.pdu.bytes[11] = 3 }
        }
      }),
    Mutant(
      "sends wrong header digests",
      fails: ["initialize.digests": "the header digest of PDU type 5 is wrong"]
    ) { passage in
      if passage.isResponse, passage.pdu.flags.contains(.headerDigest) { passage.pdu.bytes[24] ^= 1 }
    },
    Mutant(
      "sends wrong data digests",
      fails: ["initialize.digests": "the data digest of PDU type 7 is wrong"]
    ) { passage in
      if passage.isReadData, passage.pdu.flags.contains(.dataDigest) {
        passage.pdu.bytes[passage.pdu.bytes.count - 1] ^= 1
      }
    },
    Mutant(
      "takes 2048 bytes in H2CData",
      fails: Dictionary(
        uniqueKeysWithValues: ["digests", "limits", "alignment", "repeated", "unknown-type"].map {
          ("initialize.\($0)", "MAXH2CDATA")
        })
    ) { passage in
      if passage.pdu.type == .initializeConnectionResponse { passage.pdu.set(2048, at: 12, count: 4) }
    },
    Mutant("aligns data as it likes", fails: ["initialize.alignment": "PDO"]) { passage in
      if passage.pdu.type == .initializeConnectionRequest { passage.pdu.bytes[10] = 0 }
    },
    Mutant(
      "turns hosts away that ask for alignment",
      fails: ["initialize.alignment": "a host that asks for alignment is turned away"], isStrict: true
    ) { passage in
      if passage.pdu.type == .initializeConnectionRequest, passage.pdu.bytes[10] > 0 {
        passage.isDropped = true
        passage.isLast = true
      }
    },
    Mutant(
      "takes an ICReq of any format version",
      fails: ["initialize.bad-version": "after an ICReq with PFV 7FFFh came a PDU of type 1"]
    ) { passage in
      if passage.pdu.type == .initializeConnectionRequest { passage.pdu.set(0, at: 8, count: 2) }
    },
    Mutant(
      "takes an ICReq of any length",
      fails: ["initialize.bad-length": "after an ICReq with PLEN 136 came a PDU of type 1"]
    ) { passage in
      if passage.pdu.type == .initializeConnectionRequest {
        passage.pdu.bytes = Array(passage.pdu.bytes.prefix(ICRequest.byteCount))
        passage.pdu.set(UInt64(ICRequest.byteCount), at: 4, count: 4)
      }
    },
    Mutant(
      "answers commands without ICReq",
      fails: ["initialize.missing": "CapsuleResp: received before the connection was initialized"],
      remembering: {
        var isInitialized = false
        return { passage in
          if passage.pdu.type == .initializeConnectionRequest { isInitialized = true }
          if passage.isCommand, !isInitialized { passage.answer() }
        }
      }),
    Mutant(
      "answers every ICReq",
      fails: ["initialize.repeated": "ICResp: received a second time"],
      remembering: {
        var responses: [Int: WirePDU] = [:]
        return { passage in
          if passage.pdu.type == .initializeConnectionResponse { responses[passage.connection] = passage.pdu }
          guard passage.pdu.type == .initializeConnectionRequest, let response = responses[passage.connection] else {
            return
          }
          passage.isDropped = true
          passage.back = [response]
        }
      }),
    Mutant(
      "answers PDUs of unknown types",
      fails: ["initialize.unknown-type": "after a PDU of type FEh came a PDU of type 5"]
    ) { passage in
      guard passage.isToTarget, passage.pdu.bytes.first == 0xFE else { return }
      passage.isDropped = true
      passage.back = [WirePDU(CompletionQueueEntry(commandIdentifier: 1), headerDigest: false)]
    },
  ]

  static let connect: [Mutant] =
    [
      Mutant("names another controller in Identify", fails: ["connect.admin": "Identify's CNTLID is "]) { passage in
        if passage.isReadData, passage.isOf(.controller) { passage.setData(0x7777, at: 78, count: 2) }
      },
      Mutant("names another subsystem in Identify", fails: ["connect.admin": "Identify's SUBNQN is "]) { passage in
        if passage.isReadData, passage.isOf(.controller) { passage.setData(0x78, at: 768, count: 1) }
      },
      Mutant(
        "has no room for a command in a capsule", fails: ["connect.admin": "IOCCSZ is 3"]
      ) { passage in
        if passage.isReadData, passage.isOf(.controller) { passage.setData(3, at: 1792, count: 4) }
      },
      Mutant(
        "says that it has no SGLs", fails: ["connect.admin": "SGLS says that SGLs are not supported"]
      ) { passage in
        if passage.isReadData, passage.isOf(.controller) { passage.setData(0, at: 536, count: 4) }
      },
      Mutant(
        "has queues of one entry",
        fails: [
          "connect.admin": "CAP.MQES is 0",
          "connect.io-queue-size":
            "Connect of 2 entries ended with Successful Completion (SCT 0h, SC 00h), not with Connect Invalid "
            + "Parameters (SCT 1h, SC 82h) or Invalid Queue Size",
        ]
      ) { passage in
        if passage.isResponse, passage.isOf(.propertyGet), passage.command?.propertyFields.offset == 0 {
          passage.changeCompletion { $0.dword0 &= ~0xFFFF }
        }
      },
      Mutant(
        "is another subsystem behind its second port", fails: ["connect.second-port": "the serial numbers differ"]
      ) { passage in
        if passage.isReadData, passage.isOf(.controller), passage.port == 1 { passage.setData(0x78, at: 4, count: 1) }
      },
      Mutant(
        "gives controllers behind different ports the same identifier",
        fails: ["connect.second-port": "both controllers have the same CNTLID"],
        remembering: {
          var first: UInt32?
          return { passage in
            guard passage.isResponse, passage.isOf(.connect), passage.queueIdentifier == 0 else { return }
            if passage.port == 0 { first = passage.pdu.completion.dword0 }
            if passage.port == 1, let first { passage.changeCompletion { $0.dword0 = first } }
          }
        }),
      Mutant(
        "gives two controllers behind a port the same identifier",
        fails: ["connect.second-port": "a third controller has the CNTLID of another one"],
        remembering: {
          var first: UInt32?
          var hasSecond = false
          return { passage in
            guard passage.isResponse, passage.isOf(.connect), passage.queueIdentifier == 0 else { return }
            if passage.port == 1 { hasSecond = true }
            if passage.port == 0, hasSecond, let first { passage.changeCompletion { $0.dword0 = first } }
            if passage.port == 0 { first = passage.pdu.completion.dword0 }
          }
        }),
      Mutant(
        "admits hosts that are not allowed",
        fails: [
          "connect.host-not-allowed":
            "Connect of a host that is not allowed ended with Successful Completion (SCT 0h, SC "
            + "00h), not with Connect Invalid Host (SCT 1h, SC 84h) ("
        ], to: { $0.connectText(at: 256) == EmbeddedControl.closed }),
      Mutant(
        "never admits a host where it has refused one",
        fails: [
          "connect.host-not-allowed":
            "Connect of an allowed host ended with Connect Invalid Host (SCT 1h, SC 84h), not "
        ], answers: .connectInvalidHost, to: { $0.connectText(at: 256) == EmbeddedControl.closed }),
      Mutant(
        "refuses queues as large as MQES allows",
        fails: [
          "connect.io-queue-size":
            "Connect of 1024 entries ended with Connect Invalid Parameters (SCT 1h, SC 82h), not "
        ], answers: .connectInvalidParameters,
        to: { $0.isQueueConnect && $0.command?.connectFields.entries == 1024 }),
      Mutant(
        "connects a queue twice",
        fails: ["connect.io-queue-twice": "a second Connect of queue 1 succeeded"],
        to: { $0.isQueueConnect && $0.command?.connectFields.queueIdentifier == 1 }, numbered: { $0 == 2 }),
      Mutant(
        "loses a queue when it is connected again",
        fails: ["connect.io-queue-twice": "Read of 1 blocks at 0 ended with Internal Error"],
        remembering: {
          var count = 0
          return { passage in
            if passage.isQueueConnect { count += 1 }
            if count > 1, passage.isCommand, passage.isOf(.read) { passage.answer(.internalError) }
          }
        }),
      Mutant(
        "refuses an unknown subsystem for another reason",
        fails: [
          "connect.unknown-subsystem": "Connect ended with Connect Incompatible Format (SCT 1h, SC 80h), not with "
            + "Connect Invalid Parameters (SCT 1h, SC 82h) (NVMe Base"
        ], answers: .connectIncompatibleFormat, to: { $0.connectText(at: 256)?.hasSuffix(":does-not-exist") == true }),
    ]
    + mistakenlyAccepted.map { name, what, condition in
      Mutant(
        "accepts what \(name) must find refused", fails: [name: "\(what) ended with Success"], to: condition)
    }

  private static let mistakenlyAccepted: [(String, String, @Sendable (Passage) -> Bool)] = [
    ("connect.unknown-subsystem", "Connect", { $0.connectText(at: 256)?.hasSuffix(":does-not-exist") == true }),
    ("connect.bad-controller", "Connect", { $0.isAdminConnect && $0.connectNumber(at: 16) == 0x7E57 }),
    ("connect.bad-record-format", "Connect", { $0.isAdminConnect && $0.command?.connectFields.recordFormat != 0 }),
    ("connect.queue-size-zero", "Connect", { $0.isAdminConnect && $0.command?.connectFields.submissionQueueSize == 0 }),
    (
      "connect.io-queue-unknown-controller", "Connect of the I/O queue",
      { $0.isQueueConnect && $0.connectNumber(at: 16) ?? 0 >= 0x4000 }
    ),
    (
      "connect.io-queue-other-host", "Connect of the I/O queue",
      { $0.isQueueConnect && $0.connectText(at: 512)?.hasSuffix("4000-8000-000000000000") == true }
    ),
    (
      "connect.io-queue-identifier", "Connect of queue 65534",
      { $0.isQueueConnect && $0.command?.connectFields.queueIdentifier == 0xFFFE }
    ),
    (
      "connect.io-queue-size", "Connect of 1025 entries",
      { $0.isQueueConnect && $0.command?.connectFields.entries == 1025 }
    ),
    ("connect.command-first", "Identify before Connect", { $0.queueIdentifier == nil && $0.isOf(.controller) }),
  ]
}

extension Passage {
  /// A name in the data of a Connect command: SUBNQN at 256, HOSTNQN at 512.
  func connectText(at offset: Int) -> String? {
    guard isCommand, isOf(.connect) else { return nil }
    let start = pdu.dataRange.lowerBound + offset
    return String(decoding: pdu.bytes[start..<start + 256].prefix { $0 != 0 }, as: UTF8.self)
  }

  /// CNTLID, at 16, of the data of a Connect command.
  fileprivate func connectNumber(at offset: Int) -> UInt64? {
    guard isCommand, isOf(.connect) else { return nil }
    return pdu.number(at: pdu.dataRange.lowerBound + offset, count: 2)
  }
}
