import NVMeProtocol
import NVMeTCPProtocol

/// Commands that are answered wrongly. Namespace 1 has 32,768 blocks of 512 bytes; a command moves 1 MiB at most.
extension Mutant {
  private static let blockCount: UInt64 = 32_768
  private static let largest = 2048

  /// Gets four bytes of CAP.
  static let halvesProperties: @Sendable (inout Passage) -> Void = { passage in
    guard passage.isOf(.propertyGet), passage.propertyOffset == 0,
      passage.command?.propertyFields.isEightBytes == false
    else { return }
    if passage.isCommand { passage.changeCommand { $0.cdw10 |= 1 } }
    if passage.isResponse { passage.changeCompletion { $0.dword1 = 0 } }
  }

  static let admin: [Mutant] = [
    Mutant(
      "carries out any admin command",
      fails: ["admin.unknown-opcode": "admin opcode FEh ended with Success"], to: { $0.isOf(admin: 0xFE) }),
    Mutant(
      "has any log page", fails: ["admin.unknown-log-page": "ended with Success"],
      to: { $0.isOf(admin: .getLogPage) }),
    Mutant(
      "lists namespaces in any order", fails: ["admin.active-namespaces": "the list is not in order: [2, 1]"]
    ) { passage in
      guard passage.isReadData, passage.isOf(.activeNamespaceList) else { return }
      passage.setData(2, at: 0, count: 4)
      passage.setData(1, at: 4, count: 4)
    },
    Mutant(
      "lists namespaces twice", fails: ["admin.active-namespaces": "the number of different identifiers is 2, not 3"]
    ) { passage in
      if passage.isReadData, passage.isOf(.activeNamespaceList) { passage.setData(2, at: 8, count: 4) }
    },
    Mutant("lists too few namespaces", fails: ["admin.active-namespaces": "namespace 2 is not active"]) { passage in
      if passage.isReadData, passage.isOf(.activeNamespaceList) { passage.setData(0, at: 4, count: 4) }
    },
    Mutant(
      "has blocks of 32 MiB", fails: ["admin.active-namespaces": "LBADS of namespace 1 is 25"]
    ) { passage in
      // LBADS of the first LBA format.
      if passage.isReadData, passage.isOf(.namespace) { passage.setData(25, at: 130, count: 1) }
    },
    Mutant("lists namespaces that are not there", fails: ["admin.active-namespaces": "LBADS of namespace 3 is 0"]) {
      passage in
      if passage.isReadData, passage.isOf(.activeNamespaceList) { passage.setData(3, at: 8, count: 4) }
    },
    Mutant(
      "identifies any namespace", fails: ["admin.invalid-namespace": "Identify of namespace 1025 succeeded"]
    ) { passage in
      if passage.isCommand, passage.isOf(.namespace), passage.command?.namespaceIdentifier ?? 0 > 1024 {
        passage.changeCommand { $0.namespaceIdentifier = 1 }
      }
    },
    Mutant(
      "identifies a namespace beyond NN without a word",
      fails: ["admin.invalid-namespace": "the length of Identify's data is 0, not 4096"],
      to: { $0.isOf(.namespace) && $0.command?.namespaceIdentifier ?? 0 > 1024 }),
    Mutant(
      "takes any number of event requests", fails: ["admin.event-limit": "request 5 ended with Success"],
      to: { $0.isOf(admin: .asynchronousEventRequest) }, numbered: { $0 > 4 }),
    Mutant(
      "answers admin commands before it is enabled",
      fails: ["admin.before-enable": "Identify before CC.EN succeeded"],
      remembering: {
        var isEnabled = false
        return { passage in
          guard passage.isCommand else { return }
          if passage.isOf(.propertySet) { isEnabled = true }
          if passage.isOf(.controller), !isEnabled { passage.answer() }
        }
      }),
    Mutant(
      "cannot be enabled once it has been asked too early",
      fails: ["admin.before-enable": "Property Set of 14h ended with Internal Error"],
      remembering: {
        var isSpoiled = false
        return { passage in
          guard passage.isCommand else { return }
          if passage.isOf(.propertySet), isSpoiled { passage.answer(.internalError) }
          if passage.isOf(.controller) { isSpoiled = true }
        }
      }),
    Mutant(
      "has half of CAP", fails: ["admin.property-size": "Property Get of 4 bytes of CAP succeeded"],
      to: { $0.isOf(.propertyGet) && $0.command?.propertyFields.isEightBytes == false && $0.propertyOffset == 0 }),
    Mutant(
      "serves the lower half of CAP", fails: ["admin.property-size": "Property Get of 4 bytes of CAP succeeds"],
      isStrict: true, halvesProperties),
    Mutant(
      "has VS and what follows", fails: ["admin.property-size": "Property Get of 8 bytes of VS succeeded"],
      to: { $0.isOf(.propertyGet) && $0.command?.propertyFields.isEightBytes == true && $0.propertyOffset == 8 }),
    Mutant(
      "lets its version be set", fails: ["admin.property-size": "Property Set of VS succeeded"],
      to: { $0.isOf(.propertySet) && $0.propertyOffset == 8 }),
    Mutant(
      "lets its status be set", fails: ["admin.property-size": "Property Set of CSTS succeeded"],
      to: { $0.isOf(.propertySet) && $0.propertyOffset == 0x1C }),
    Mutant(
      "aborts what is not there", fails: ["admin.abort-unknown": "bit 0 of Abort's dword 0 (not aborted) is 0, not 1"],
      to: { $0.isOf(admin: .abort) }),
  ]

  static let io: [Mutant] =
    [
      Mutant(
        "does not tell the head of its submission queue",
        fails: ["io.submission-queue-head": "SQHD of 8 entries goes [0, 0, 0"]
      ) { passage in
        if passage.isResponse, passage.isOf(.read) { passage.changeCompletion { $0.submissionQueueHead = 0 } }
      },
      Mutant(
        "lets the head of its submission queue grow", fails: ["io.submission-queue-head": "SQHD of 8 entries goes "],
        remembering: {
          var head: UInt16 = 0
          return { passage in
            guard passage.isResponse, passage.isOf(.read) else { return }
            head += 1
            passage.changeCompletion { $0.submissionQueueHead = head }
          }
        }),
      Mutant(
        "leaves responses out although it has kept flow control on",
        fails: ["io.flow-control-off": "C2HData with SUCCESS on a queue with flow control"]
      ) { passage in
        guard passage.isResponse, passage.isOf(.connect), passage.queueIdentifier == 1 else { return }
        passage.changeCompletion { $0.submissionQueueHead = 1 }
      },
      Mutant(
        "answers nothing without flow control but successes",
        fails: [
          "io.flow-control-off": "Read of namespace FFFFFFF0h ended with Success",
          "io.invalid-namespace": "Read of namespace FFFFFFF0h ended with Success",
        ], to: { $0.isOf(.read) && $0.command?.namespaceIdentifier == 0xFFFF_FFF0 }),
      Mutant("takes PRPs for SGLs", fails: ["io.pointers": "Read with PSDT 00b succeeded"]) { passage in
        if passage.isCommand, passage.isOf(.read), passage.command?.dataTransferKind == 0 {
          passage.changeCommand { $0.flags = SubmissionQueueEntry.sglFlags }
        }
      },
      Mutant(
        "carries out any I/O command", fails: ["io.unknown-opcode": "I/O opcode 7Eh ended with Success"],
        to: { $0.isOf(io: 0x7E) }),
      Mutant(
        "does not read its last block",
        fails: ["io.out-of-range": "Read of 1 blocks at 32767 ended with LBA Out of Range"], answers: .lbaOutOfRange,
        to: { $0.isOf(.read) && $0.blocks == blockCount - 1..<blockCount }),
      Mutant(
        "refuses reads beyond its end for another reason",
        fails: ["io.out-of-range": "Read of 1 blocks at 32768 ends with Internal Error"], isStrict: true,
        answers: .internalError, to: { $0.isOf(.read) && $0.blocks.lowerBound >= blockCount }),
      Mutant(
        "does not read as much as MDTS allows",
        fails: [
          "io.largest-read": "Read of 2048 blocks ended with Invalid Field in Command",
          "io.largest-write": "Read of 2048 blocks at 0 ended with Invalid Field in Command",
          "io.r2t-limit": "Read of 2048 blocks at 0 ended with Invalid Field in Command",
        ],
        answers: .invalidFieldInCommand, to: { $0.isOf(.read) && $0.command?.blockCount == largest }),
      Mutant(
        "reads nothing where it is to read as much as MDTS allows",
        fails: [
          "io.largest-read": "the length of the data read is 0, not 1048576",
          "io.largest-write": "the length of the data read is 0, not 1048576",
          "io.r2t-limit": "the length of the data read is 0, not 1048576",
        ], to: { $0.isOf(.read) && $0.command?.blockCount == largest }),
      Mutant(
        "has nothing in its last block", fails: ["io.out-of-range": "the length of the data read is 0, not 512"],
        to: { $0.isOf(.read) && $0.blocks == blockCount - 1..<blockCount }),
      Mutant(
        "reads more than MDTS allows", fails: ["io.largest-read": "Read beyond MDTS succeeded"],
        to: { $0.isOf(.read) && $0.command?.blockCount ?? 0 > largest }),
      Mutant(
        "writes more than MDTS allows", fails: ["io.largest-write": "Write beyond MDTS succeeded"],
        to: { $0.isOf(.write) && $0.command?.blockCount ?? 0 > largest }),
      Mutant(
        "spoils the end of a long write", fails: ["io.largest-write": "2047 blocks read back differently"]
      ) { passage in
        if passage.isWriteData, passage.isOf(.write), passage.command?.blockCount == largest - 1 { passage.spoilData() }
      },
      Mutant(
        "goes round when it is written beyond its end",
        fails: ["io.write-out-of-range": "block 0 was changed by a write beyond the last block"],
        remembering: {
          var identifier: UInt16?
          return { passage in
            guard passage.isOf(.write) else { return }
            if passage.isCommand, passage.command?.startingLBA == .max {
              identifier = passage.command?.commandIdentifier
              passage.changeCommand { $0.startingLBA = 0 }
            }
            if passage.isResponse, passage.command?.commandIdentifier == identifier {
              passage.changeCompletion { $0.status = .lbaOutOfRange }
            }
          }
        }),
      Mutant(
        "zeroes blocks beyond its end",
        fails: ["io.write-out-of-range": "Write Zeroes of 1 blocks at 32768 succeeded"],
        to: { $0.isOf(.writeZeroes) && $0.blocks.upperBound > blockCount }),
      Mutant(
        "asks for data in two pieces at once",
        fails: [
          "io.r2t-limit": "a PDU of type 9 came before the data that R2T asked for",
          "io.largest-write": "the target ended the connection while writing 2048 blocks",
        ]
      ) { passage in
        guard passage.pdu.type == .readyToTransfer, passage.command?.blockCount == largest else { return }
        let half = passage.pdu.number(at: 16, count: 4) / 2
        var second = passage.pdu
        passage.change { $0.set(half, at: 16, count: 4) }
        second.set(half, at: 12, count: 4)
        second.set(half, at: 16, count: 4)
        second.seal()
        passage.after = [second]
      },
      Mutant(
        "asks for data from its middle on",
        fails: [
          "io.r2t-limit": "R2TO is 4096, not 0", "io.largest-write": "R2T for 1048576 bytes at 4096; the command has ",
        ]
      ) { passage in
        if passage.pdu.type == .readyToTransfer, passage.command?.blockCount == largest {
          passage.change { $0.set(4096, at: 12, count: 4) }
        }
      },
      Mutant(
        "asks for more data than there is",
        fails: [
          "io.r2t-limit": "R2Ts ask for 1048580 of 1048576 bytes",
          "io.largest-write": "R2T for 1048580 bytes at 0; the command has 1048576, ",
        ]
      ) { passage in
        if passage.pdu.type == .readyToTransfer, passage.command?.blockCount == largest {
          passage.change { $0.set($0.number(at: 16, count: 4) + 4, at: 16, count: 4) }
        }
      },
      Mutant(
        "asks for another command's data",
        fails: ["io.r2t-limit": "R2T's CCCID is ", "io.largest-write": "R2T for command 30583, outstanding is "]
      ) { passage in
        if passage.pdu.type == .readyToTransfer, passage.command?.blockCount == largest {
          passage.change { $0.set(0x7777, at: 8, count: 2) }
        }
      },
      Mutant(
        "does not look at header digests",
        fails: ["io.header-digest": "after a wrong header digest came a PDU of type 7, not the end of the connection"]
      ) { passage in
        if passage.isCommand, passage.headerDigest { passage.pdu.seal() }
      },
      Mutant(
        "does not look at data digests",
        fails: ["io.data-digest": "Write with a wrong data digest ended with Success"]
      ) { passage in
        if passage.isCommand, passage.isWriteData { passage.pdu.seal() }
      },
      Mutant(
        "takes capsules of any length",
        fails: ["io.in-capsule-too-long": "the write of 17 blocks in capsule succeeded"],
        to: { $0.isOf(.write) && $0.pdu.dataRange.count > 8192 }),
      Mutant(
        "takes it for granted that what fits goes in the capsule",
        fails: ["io.short-transfer": "a write of one block that is not in the capsule is never answered"],
        isStrict: true
      ) { passage in
        if passage.pdu.type == .readyToTransfer, passage.command?.blockCount == 1 { passage.isDropped = true }
      },
      Mutant(
        "refuses a short write that is not in the capsule",
        fails: ["io.short-transfer": "Write ended with Invalid Field in Command"], answers: .invalidFieldInCommand,
        to: { $0.isOf(.write) && $0.command?.blockCount == 1 && !$0.isWriteData }),
      Mutant(
        "takes data that it has not asked for",
        fails: ["io.data-outside-r2t": "after wrong data came a PDU of type 5, not the end of the connection"]
      ) { passage in
        if passage.pdu.type == .hostToControllerData, passage.pdu.number(at: 12, count: 4) > 0,
          passage.pdu.dataRange.count == 512
        {
          passage.answer()
        }
      },
      Mutant(
        "takes data for transfers that it does not know",
        fails: ["io.unknown-transfer-tag": "after wrong data came a PDU of type 5, not the end of the connection"]
      ) { passage in
        if passage.pdu.type == .hostToControllerData, !passage.pdu.flags.contains(.last) { passage.answer() }
      },
    ]
    + ([(blockCount, 1), (blockCount - 1, 2), (.max, 1), (.max - 1, 4)] as [(UInt64, Int)]).flatMap { address, count in
      [(IOOpcode.read, "Read", "io.out-of-range"), (.write, "Write", "io.write-out-of-range")]
        // Four blocks are not written there.
        .filter { $0.0 == .read || count < 4 }
        .map { opcode, name, identifier in
          Mutant(
            "\(name.lowercased())s \(count) blocks at \(address)",
            fails: [identifier: "\(name) of \(count) blocks at \(address) succeeded"],
            to: { $0.isOf(opcode) && $0.command?.startingLBA == address && $0.command?.blockCount == count })
        }
    }
}

extension Passage {
  fileprivate var propertyOffset: UInt32? { command?.propertyFields.offset }
}
