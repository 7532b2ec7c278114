internal import NVMeProtocol
internal import NVMeTCPProtocol

/// The first PDUs of a connection (NVMe/TCP Transport Specification 1.1, sections 3.1, 3.3 and 3.6.2).
enum InitializeCases {
  static let all = [
    ConformanceCase("initialize.digests", "every combination of digests is answered and then works") { context in
      for digests: PDUDigests in [[], .header, .data, [.header, .data]] {
        try await offPool {
          let controller = try RawController(context.target, request: ICRequest(digests: digests))
          // Digests that were not asked for have been found by the rules of ICResp.
          let granted = controller.admin.response!.digests
          context.notes.add("digests asked \(digests.rawValue), granted \(granted.rawValue)")
          // Data in both directions, through whatever digests there are now.
          try controller.enable()
          _ = try controller.identify(.controller)
        }
      }
    },
    ConformanceCase("initialize.limits", "MAXH2CDATA is 4096 or more and a multiple of 4") { context in
      try await offPool {
        // ICResp is held against the rules as it comes.
        let response = try RawConnection(context.target).initialize()
        context.notes.add("MAXH2CDATA \(response.maximumH2CDataLength), CPDA \(response.controllerPDUDataAlignment)")
      }
    },
    ConformanceCase("initialize.alignment", "data comes aligned as the host asks (HPDA)") { context in
      try await offPool {
        do {
          for alignment: UInt8 in [1, 31] {
            // Each PDU with data is held against it as it comes.
            let controller = try RawController(context.target, request: ICRequest(hostPDUDataAlignment: alignment))
            try controller.enable()
            _ = try controller.identify(.controller)
          }
        } catch let error as RawError where error.isEndOfConnection {
          context.notes.deviation("a host that asks for alignment is turned away: \(error)")
        }
      }
    },
    ConformanceCase("initialize.bad-version", "an ICReq of an unknown format version gets no ICResp") { context in
      try await expectEnd(context, after: "an ICReq with PFV 7FFFh") { connection in
        var request = ICRequest()
        request.pduFormatVersion = 0x7FFF
        try connection.send(RawConnection.bytes(ICRequest.byteCount, request.store(to:)), "sending ICReq")
      }
    },
    ConformanceCase("initialize.bad-length", "an ICReq with a wrong length gets no ICResp") { context in
      try await expectEnd(context, after: "an ICReq with PLEN 136") { connection in
        var request = ICRequest()
        request.common.length = 136
        try connection.send(RawConnection.bytes(136) { request.store(to: $0) }, "sending ICReq")
      }
    },
    ConformanceCase("initialize.missing", "a connection that begins with a command is ended") { context in
      try await expectEnd(context, after: "a command without ICReq") { connection in
        let capsule = connection.capsule(.fabricsConnect(queueIdentifier: 0, entries: 32)).bytes
        // As long as an ICReq, so that nobody waits for more.
        try connection.send(capsule + [UInt8](repeating: 0, count: 128 - capsule.count), "sending a command")
      }
    },
    ConformanceCase("initialize.repeated", "a second ICReq ends the connection") { context in
      try await expectEnd(context, after: "a second ICReq") { connection in
        try connection.initialize()
        try connection.send(RawConnection.bytes(ICRequest.byteCount, ICRequest().store(to:)), "sending ICReq again")
      }
    },
    ConformanceCase("initialize.unknown-type", "a PDU of an unknown type ends the connection") { context in
      try await expectEnd(context, after: "a PDU of type FEh") { connection in
        try connection.initialize()
        var bytes = connection.capsule(.keepAlive()).bytes
        bytes[0] = 0xFE
        try connection.send(bytes, "sending a PDU of type FEh")
      }
    },
  ]

  /// Does something the target must answer by ending the connection, with a C2HTermReq or without.
  static func expectEnd(
    _ context: ConformanceContext, after what: String, _ provoke: @escaping @Sendable (RawConnection) throws -> Void
  ) async throws {
    try await offPool {
      let connection = try RawConnection(context.target)
      do {
        try provoke(connection)
        let pdu = try connection.receive("waiting for the end of the connection after \(what)")
        throw ConformanceFailure("after \(what) came a PDU of type \(pdu.common.type), not the end of the connection")
      } catch let error as RawError where error.isEndOfConnection {
        context.notes.add("\(error)")
      }
    }
  }
}
