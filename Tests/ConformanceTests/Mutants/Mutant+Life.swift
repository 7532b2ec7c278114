import NVMeProtocol
import NVMeTCPProtocol

/// Associations and namespaces that do not come, stay or go as they must.
extension Mutant {
  static let life: [Mutant] = [
    Mutant(
      "waits for ever for Keep Alive",
      fails: ["keep-alive.expires": "nothing came in time while waiting for keep-alive to expire"]
    ) { passage in
      if passage.isAdminConnect { passage.changeCommand { $0.cdw12 = 0 } }
    },
    Mutant(
      "answers when keep alive expires",
      fails: ["keep-alive.expires": "a PDU of type 5 came, not the end of the association"]
    ) { passage in
      if passage.isResponse, passage.isOf(.propertyGet), passage.propertyOffset == 0x1C {
        passage.after = [passage.pdu]
      }
    },
    Mutant(
      "does not wait for Keep Alive",
      fails: [
        "keep-alive.expires": "before its time-out of 1 s",
        "recovery.idle": "the association ended: ",
      ]
    ) { passage in
      if passage.isAdminConnect { passage.changeCommand { $0.cdw12 = 300 } }
    },
    // The target ends an association that it hears nothing of.
    Mutant(
      "does not hear Keep Alive",
      fails: ["keep-alive.sustains": "the target closed the connection while sending Keep Alive"],
      answers: .success, to: { $0.isOf(admin: .keepAlive) }),
    Mutant(
      "refuses Keep Alive", fails: ["keep-alive.sustains": "Keep Alive ended with Invalid Command Opcode"],
      answers: .invalidCommandOpcode, to: { $0.isOf(admin: .keepAlive) }),
    Mutant(
      "does not shut down", fails: ["disconnect.orderly": "Property Set of 14h ended with Internal Error"],
      answers: .internalError, to: { $0.isOf(.propertySet) && ($0.command?.propertyFields.value ?? 0) >> 14 & 3 != 0 }
    ),
    Mutant(
      "never lets a controller go", fails: reconnecting, answers: .connectControllerBusy, to: { $0.isAdminConnect },
      numbered: { $0 > 1 }),
    Mutant(
      "does not ask for a write's data",
      fails: ["disconnect.during-write": "a PDU of type 5 came instead of R2T"], answers: .internalError,
      to: { $0.isOf(.write) && !$0.isWriteData }),
    Mutant(
      "is worn out by hosts that vanish",
      fails: [
        "disconnect.abrupt": "Read of 1 blocks at 0 ended with Internal Error",
        "recovery.attach-detach": "Internal Error",
      ],
      remembering: {
        var count = 0
        return { passage in
          if passage.isAdminConnect { count += 1 }
          if count > 8, passage.isCommand, passage.isOf(.read) { passage.answer(.internalError) }
          if count > 20, passage.isCommand, passage.isOf(.propertySet) { passage.answer(.internalError) }
        }
      }),
    Mutant(
      "reads nothing after a reset", fails: ["recovery.reset": "Internal Error"], answers: .internalError,
      to: { $0.isOf(.read) }, numbered: { $0 > 1 }),
    Mutant(
      "ends reads wrongly when it loses connections",
      fails: [
        "recovery.killed": "a read did not end with the loss of its connection: ",
        "recovery.silent": "a read did not end with the loss of its connection: ",
      ], answers: .internalError, to: { $0.isOf(.read) }, numbered: { $0 == 20 }),
  ]

  /// What cannot be done with a target that lets nobody connect again.
  private static let reconnecting = [
    "disconnect.orderly": "Connect of the admin queue ended with Connect Controller Busy (SCT 1h, SC 81h), not with ",
    "disconnect.queue": "Connect of the admin queue ended with Connect Controller Busy",
    "disconnect.abrupt": "Connect of the admin queue ended with Connect Controller Busy",
    "disconnect.during-write": "Connect of the admin queue ended with Connect Controller Busy",
    "recovery.reset": "Controller Busy",
    "recovery.killed": "Controller Busy",
    "recovery.silent": "Controller Busy",
    "recovery.attach-detach": "Controller Busy",
  ]

  static let changes: [Mutant] = [
    Mutant(
      "tells no news",
      fails: [
        "namespaces.added-and-removed": "the new namespace did not come within 20",
        "namespaces.removed-in-use": "the new namespace did not come within 20",
        "namespaces.resized-in-use": "the new namespace did not come within 20",
        "namespaces.disabled": "the new namespace did not come within 20",
        "discovery.news": "the news did not come within 20",
        "discovery.persistent": "the subsystems that were added did not show within 20",
      ]
    ) { passage in
      if passage.isResponse, passage.isOf(admin: .asynchronousEventRequest) { passage.isDropped = true }
    },
    Mutant(
      "makes a new namespace too small",
      fails: ["namespaces.added-and-removed": "the new namespace's size is 2097152, not 4194304"]
    ) { passage in
      if passage.isReadData, passage.isOf(.namespace), passage.command?.namespaceIdentifier == 400 {
        passage.setData(512, at: 0, count: 8)
      }
    },
    Mutant(
      "ends the association with a namespace",
      fails: ["namespaces.removed-in-use": "the association ended: "],
      remembering: {
        var isGone = false
        return { passage in
          if passage.isReadData, passage.isOf(.activeNamespaceList) {
            let start = passage.pdu.dataRange.lowerBound
            let list = (0..<4).map { passage.pdu.number(at: start + 4 * $0, count: 4) }
            if isGone, !list.contains(401) { passage.isLast = true }
            if list.contains(401) { isGone = true }
          }
        }
      }),
    Mutant(
      "goes on reading a namespace that is gone, and tells nobody that it is",
      fails: [
        "namespaces.removed-in-use":
          "an end with errors of all that is read from the namespace that is gone did not come within 20"
      ],
      remembering: {
        var isInUse = false
        return { passage in
          if passage.isCommand, passage.isOf(.read), passage.command?.namespaceIdentifier == 401 {
            isInUse = true
            // Which has blocks of the same size.
            passage.changeCommand { $0.namespaceIdentifier = 2 }
          }
          if isInUse, passage.isResponse, passage.isOf(admin: .asynchronousEventRequest) { passage.isDropped = true }
        }
      }),
    Mutant(
      "does not write to what a namespace has grown by", fails: ["namespaces.resized-in-use": "LBA Out of Range"],
      answers: .lbaOutOfRange,
      to: { $0.isOf(.write) && $0.command?.namespaceIdentifier == 402 && $0.blocks.upperBound > 1024 }),
    Mutant(
      "reads nothing while a namespace is resized", fails: ["namespaces.resized-in-use": "Namespace Not Ready"],
      answers: StatusField(.generic, 0x82, doNotRetry: true),
      to: { $0.isOf(.read) && $0.command?.namespaceIdentifier == 402 && $0.command?.blockCount == 2 }),
    Mutant(
      "brings back a namespace that cannot be written", fails: ["namespaces.disabled": "Namespace is Write Protected"],
      answers: .namespaceIsWriteProtected, to: { $0.isOf(.write) && $0.command?.namespaceIdentifier == 403 },
      numbered: { $0 > 3 }),
  ]

  static let multipath: [Mutant] = [
    Mutant(
      "acknowledges a write that it does not carry out",
      fails: Dictionary(
        uniqueKeysWithValues: [
          "killed", "port-removed", "ana", "silent", "dropped", "keep-alive", "namespace", "fewer-queues", "restart",
          "fast-fail", "controller-loss", "dead-port",
        ].map { ("multipath.\($0)", "acknowledged writes are corrupted or lost: blocks from ") }),
      to: { $0.isOf(.write) }, numbered: { $0 == 120 }),
    Mutant(
      "writes nothing once a host has come back",
      fails: Dictionary(
        uniqueKeysWithValues: ["killed", "port-removed", "silent", "dropped", "keep-alive", "restart"].map {
          ("multipath.\($0)", "Write Fault")
        }),
      remembering: {
        var count = 0
        return { passage in
          if passage.isAdminConnect { count += 1 }
          if count > 2, passage.isCommand, passage.isOf(.write) {
            passage.answer(StatusField(.mediaAndDataIntegrity, 0x80, doNotRetry: true))
          }
        }
      }),
    Mutant(
      "loses a write that is sent again",
      fails: [
        "multipath.silent": "acknowledged writes are corrupted or lost: blocks from ",
        "multipath.dropped": "acknowledged writes are corrupted or lost: blocks from ",
      ],
      remembering: {
        /// By their first block: the connections that writes were sent over which nobody has answered.
        var unanswered: [UInt64: Int] = [:]
        return { passage in
          guard passage.isOf(.write) else { return }
          let block = passage.blocks.lowerBound
          if passage.isResponse { unanswered[block] = nil }
          guard passage.isCommand else { return }
          if let earlier = unanswered[block], earlier != passage.connection { passage.answer() }
          unanswered[block] = passage.isDropped ? nil : passage.connection
        }
      }),
    Mutant(
      "reads what its second port has read before",
      fails: Dictionary(
        uniqueKeysWithValues: ["port-removed", "ana", "keep-alive", "dead-port"].map {
          ("multipath.\($0)", "acknowledged writes are corrupted or lost: blocks from ")
        }),
      remembering: {
        var cache: [Range<UInt64>: [UInt8]] = [:]
        return { passage in
          guard passage.isReadData, passage.isOf(.read), passage.port == 1 else { return }
          let data = Array(passage.pdu.bytes[passage.pdu.dataRange])
          if let earlier = cache[passage.blocks], earlier.count == data.count {
            passage.change { $0.bytes.replaceSubrange($0.dataRange, with: earlier) }
          } else {
            cache[passage.blocks] = data
          }
        }
      }),
    Mutant(
      "tells no news of ANA states", fails: ["multipath.ana-news": "the news of non-optimized did not come within 10"]
    ) { passage in
      if passage.isResponse, passage.isOf(admin: .asynchronousEventRequest),
        AsynchronousEvent(rawValue: passage.pdu.completion.dword0).matches(.anaChange)
      {
        passage.isDropped = true
      }
    },
    Mutant(
      "tells of ANA states too late", fails: ["multipath.ana-news": "the news of non-optimized did not come within 10"],
      remembering: {
        var count = 0
        return { passage in
          guard passage.isANALog else { return }
          count += 1
          // The logs that the two hosts have begun with, and the one that they are told to read.
          if count <= 3 { passage.setANAState(.optimized) }
        }
      }),
    Mutant(
      "takes one ANA state for another",
      fails: ["multipath.ana-news": "the news of inaccessible did not come within 10"]
    ) { passage in
      if passage.isANALog, passage.anaState == .inaccessible { passage.setANAState(.persistentLoss) }
    },
    Mutant(
      "does not count changes of ANA states", fails: ["multipath.ana-news": "the change count is 7, and was 7 before "]
    ) { passage in
      if passage.isANALog { passage.setData(7, at: 0, count: 8) }
    },
    Mutant(
      "has one port's ANA states behind the other, too",
      fails: ["multipath.ana-news": "the state through the other port is non-optimized, not optimized"],
      remembering: {
        var first = ANAState.optimized
        return { passage in
          guard passage.isANALog else { return }
          if passage.port == 0 { first = passage.anaState }
          if passage.port == 1 { passage.setANAState(first) }
        }
      }),
    Mutant(
      "names a namespace otherwise behind its second port",
      fails: ["multipath.identity": "namespace 1 has other identification descriptors through the second port"]
    ) { passage in
      if passage.isReadData, passage.isOf(.namespaceDescriptors), passage.port == 1 {
        // In the first descriptor's identifier.
        passage.setData(0x5A, at: 4, count: 1)
      }
    },
    Mutant(
      "has another size of a namespace behind its second port",
      fails: ["multipath.identity": "namespace 1 has another size through the second port"]
    ) { passage in
      if passage.isReadData, passage.isOf(.namespace), passage.port == 1 { passage.setData(1000, at: 0, count: 8) }
    },
    Mutant(
      "has fewer namespaces behind its second port",
      fails: ["multipath.identity": "the list of namespaces through the second port is [1], not [1, 2]"]
    ) { passage in
      if passage.isReadData, passage.isOf(.activeNamespaceList), passage.port == 1 {
        passage.setData(0, at: 4, count: 4)
      }
    },
  ]

  static let discovery: [Mutant] = [
    Mutant(
      "leaves a subsystem out of its discovery log",
      fails: [
        "discovery.log": "no entry names \(EmbeddedControl.open)",
        "discovery.persistent": "the log does not have the subsystem under test",
      ]
    ) { $0.renameDiscoveryEntry(EmbeddedControl.open) },
    Mutant(
      "leaves one of many subsystems out of its discovery log",
      fails: ["discovery.many": "the number of added subsystems is 129, not 130"]
    ) { $0.renameDiscoveryEntry("nqn.2026-01.io.nvmeof.conformance:many-77") },
    Mutant(
      "changes its discovery log without a new generation", fails: ["discovery.many": "the generation is still 1"]
    ) { passage in
      if passage.isReadData, passage.discoveryLogOffset == 0 { passage.setData(1, at: 0, count: 8) }
    },
    Mutant(
      "connects I/O queues of a discovery controller",
      fails: ["discovery.no-io-queues": "Connect of an I/O queue to a discovery controller succeeded"],
      to: { $0.isQueueConnect }),
  ]
}

extension Passage {
  /// Data of the ANA log, from its beginning.
  fileprivate var isANALog: Bool {
    isReadData && isOf(admin: .getLogPage) && (command?.cdw10 ?? 0) & 0xFF == 0x0C && command?.cdw12 == 0
  }

  /// Of the log's first group, whose descriptor follows the 16 bytes of the header.
  fileprivate var anaState: ANAState {
    ANAState(rawValue: UInt8(pdu.number(at: pdu.dataRange.lowerBound + 32, count: 1)))
  }

  fileprivate mutating func setANAState(_ state: ANAState) { setData(UInt64(state.rawValue), at: 32, count: 1) }

  fileprivate var propertyOffset: UInt32? { command?.propertyFields.offset }

  /// Where in the discovery log the read is that this belongs to.
  fileprivate var discoveryLogOffset: UInt64? {
    guard isOf(admin: .getLogPage), let command, command.cdw10 & 0xFF == 0x70 else { return nil }
    return UInt64(command.cdw12) | UInt64(command.cdw13) << 32
  }

  /// Gives the entries of a subsystem in the discovery log another name. Entries have 1024 bytes, as the header has.
  fileprivate mutating func renameDiscoveryEntry(_ nqn: String) {
    guard isReadData, let offset = discoveryLogOffset else { return }
    let name = Array(nqn.utf8) + [0]
    for entry in stride(from: 0, to: pdu.dataRange.count, by: 1024) where Int(offset) + entry > 0 {
      let start = pdu.dataRange.lowerBound + entry + 256
      if pdu.bytes[start..<start + name.count].elementsEqual(name) {
        change { $0.bytes[start] ^= 1 }
      }
    }
  }
}
