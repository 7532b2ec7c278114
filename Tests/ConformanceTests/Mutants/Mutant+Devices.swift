import NVMeProtocol
import NVMeTCPProtocol

/// Data that does not survive, and I/O commands that do not do what they say. Namespace 1 has 32,768 blocks of 512 bytes,
/// namespace 2 has 4096 of 4096 bytes; a capsule holds 8192 bytes, a command and an H2CData PDU 1 MiB.
extension Mutant {
  static let devices: [Mutant] = [
    // MARK: Data
    Mutant(
      "spoils what it sends with both digests", fails: ["data.digests": "read back differently from byte 511"]
    ) { passage in
      if passage.isReadData, passage.isOf(.read), passage.pdu.flags.isSuperset(of: [.headerDigest, .dataDigest]) {
        passage.spoilData()
      }
    },
    Mutant(
      "spoils the end of a full capsule",
      fails: ["data.in-capsule-boundary": "16 blocks at 1 of ", "data.vectors": "16 blocks at 1 of "]
    ) { passage in
      if passage.isCommand, passage.isOf(.write), passage.pdu.dataRange.count == 8192 { passage.spoilData() }
    },
    Mutant(
      "spoils the end of a full H2CData PDU",
      fails: [
        "data.h2cdata-boundary": "2048 blocks at 1 of ", "data.transfer-boundary": "2048 blocks at 1 of ",
      ]
    ) { passage in
      if passage.pdu.type == .hostToControllerData, passage.pdu.dataRange.count == 1 << 20 { passage.spoilData() }
    },
    Mutant(
      "loses the rest of a write that was split",
      fails: ["data.transfer-boundary": "2049 blocks at 1 of ", "data.h2cdata-boundary": "2049 blocks at 1 of "],
      remembering: {
        var hasFirst = false
        return { passage in
          guard passage.isCommand, passage.isOf(.write) else { return }
          if passage.blocks == 1..<2049 { hasFirst = true }
          if passage.blocks == 2049..<2050, hasFirst { passage.answer() }
        }
      }),
    Mutant("spoils what it reads in pieces", fails: ["data.vectors": "49 blocks at 1 of "]) { passage in
      if passage.isReadData, passage.isOf(.read), passage.command?.blockCount == 49 { passage.spoilData() }
    },
    Mutant(
      "does not write its last block", fails: ["data.last-blocks": "1 blocks at 32767 of "],
      to: { $0.isOf(.write) && $0.blocks.upperBound == 32768 }),
    Mutant(
      "changes the block beside the first one", fails: ["data.last-blocks": "block 1 of "]
    ) { passage in
      if passage.isReadData, passage.isOf(.read), passage.blocks == 1..<2 { passage.spoilData() }
    },
    Mutant(
      "spoils one write of many", fails: ["data.full-pass": "blocks 8192…, 128 of them, read back differently"]
    ) { passage in
      if passage.isWriteData, passage.isOf(.write), passage.blocks == 8192..<8320 { passage.spoilData() }
    },
    Mutant(
      "reads a block differently once", fails: ["data.read-only-pass": "blocks 80…, 8 of them, read back differently"],
      remembering: {
        var count = 0
        return { passage in
          guard passage.isReadData, passage.isOf(.read), passage.blocks == 80..<88 else { return }
          count += 1
          if count == 2 { passage.spoilData() }
        }
      }),
    Mutant(
      "keeps data in another form than it is written",
      fails: ["data.backing": "the CRC-32 of "]
    ) { passage in
      if passage.isWriteData, passage.isOf(.write) { passage.spoilData() }
      if passage.isReadData, passage.isOf(.read) { passage.spoilData() }
    },
    Mutant(
      "reads from a cache that has not heard of a change",
      fails: ["data.backing": "does not read as the target wrote it: [109, 109, 109"]
    ) { passage in
      if passage.isReadData, passage.isOf(.read), passage.blocks == 6..<7 { passage.spoilData() }
    },

    // MARK: Queues
    Mutant(
      "takes fewer commands at once than its queues have entries", fails: ["queues.depth": "Internal Error"],
      remembering: {
        var outstanding: Set<UInt16> = []
        return { passage in
          guard passage.isOf(.read), let identifier = passage.command?.commandIdentifier else { return }
          if passage.isCommand {
            outstanding.insert(identifier)
            if outstanding.count > 100 { passage.answer(.internalError) }
          } else if passage.isResponse || passage.pdu.flags.contains(.success) {
            outstanding.remove(identifier)
          }
        }
      }),
    Mutant(
      "refuses queues that MQES allows", fails: ["queues.depth": "Connect Invalid Parameters"],
      answers: .connectInvalidParameters, to: { $0.isQueueConnect && $0.command?.connectFields.entries ?? 0 > 200 }),
    Mutant(
      "fails a command on a short queue now and then", fails: ["queues.back-pressure": "Internal Error"],
      answers: .internalError, to: { $0.isOf(.read) }, numbered: { $0 % 500 == 0 }),
    Mutant(
      "mixes up what its fifth queue reads", fails: ["queues.several": "8 of them, read back differently"],
      remembering: {
        var count = 0
        return { passage in
          guard passage.isReadData, passage.isOf(.read), passage.queueIdentifier == 5 else { return }
          count += 1
          if count > 300 { passage.spoilData() }
        }
      }),
    Mutant(
      "writes beside the place on its second queue", fails: ["queues.several-write": "8 of them, read back differently"]
    ) { passage in
      guard passage.isCommand, passage.isOf(.write), passage.queueIdentifier == 2 else { return }
      passage.changeCommand { $0.startingLBA ^= 8 }
    },

    // MARK: Operations
    Mutant(
      "cannot flush", fails: ["operations.flush": "Internal Error"], answers: .internalError, to: { $0.isOf(.flush) }),
    Mutant(
      "does not read with FUA", fails: ["operations.force-unit-access": "Invalid Field in Command"],
      answers: .invalidFieldInCommand, to: { $0.isOf(.read) && $0.command?.forceUnitAccess == true }),
    Mutant(
      "writes nothing with FUA",
      fails: ["operations.force-unit-access": "blocks written with FUA read back differently"],
      to: { $0.isOf(.write) && $0.command?.forceUnitAccess == true }),
    Mutant(
      "zeroes one block too many", fails: ["operations.write-zeroes": "block 11, outside the range, was changed"]
    ) { passage in
      if passage.isCommand, passage.isOf(.writeZeroes) { passage.changeCommand { $0.cdw12 += 1 } }
    },
    Mutant(
      "zeroes nothing", fails: ["operations.write-zeroes": "block 10 is not full of 0"], to: { $0.isOf(.writeZeroes) }),
    Mutant(
      "discards one block too early", fails: ["operations.discard": "block 9, outside the range, was changed"]
    ) { passage in
      guard passage.isCommand, passage.isOf(.datasetManagement) else { return }
      // The first range's starting LBA is at 8.
      passage.setData(9, at: 8, count: 8)
    },
    Mutant(
      "finds all blocks equal", fails: ["operations.compare": "compare of different blocks succeeded"],
      to: { $0.isOf(.compare) }),
    Mutant(
      "finds no blocks equal", fails: ["operations.compare": "Compare Failure"], answers: .compareFailure,
      to: { $0.isOf(.compare) }),
    Mutant(
      "fails a comparison for another reason", fails: ["operations.compare": "Data Transfer Error"]
    ) { passage in
      guard passage.isResponse, passage.isOf(.compare), !passage.pdu.completion.status.isSuccess else { return }
      passage.changeCompletion { $0.status = .dataTransferError }
    },
    Mutant(
      "cannot verify", fails: ["operations.verify": "Internal Error"], answers: .internalError,
      to: { $0.isOf(.verify) }),
    denying("Compare", bit: 0),
    denying("Dataset Management", bit: 2),
    denying("Verify", bit: 7),
    Mutant(
      "reports reservations that it has not",
      fails: ["operations.unsupported": "Reservation Report ended with Success"],
      to: { $0.isOf(.reservationReport) }),
    Mutant(
      "fails a command that it has not as if it had it",
      fails: ["operations.unsupported": "Copy ended with Invalid Field in Command"], answers: .invalidFieldInCommand,
      to: { $0.isOf(.copy) }),
  ]

  /// A target that has a command, and whose ONCS says that it has not.
  private static func denying(_ command: String, bit: Int) -> Mutant {
    Mutant(
      "has \(command), and says that it has not",
      fails: ["operations.unsupported": "\(command) ended with Success"]
    ) { passage in
      guard passage.isReadData, passage.isOf(.controller) else { return }
      let supported = passage.pdu.number(at: passage.pdu.dataRange.lowerBound + 520, count: 2)
      passage.setData(supported & ~(1 << UInt64(bit)), at: 520, count: 2)
    }
  }
}
