internal import NVMeProtocol

extension TargetController {
  /// Get Log Page: writes `byteCount` bytes, zeroes beyond the page's end, or says why not
  /// (NVMe Base 2.1, section 5.1.12).
  func logPage(_ command: SubmissionQueueEntry, into base: UnsafeMutableRawPointer, byteCount: Int) -> StatusField {
    let page = LogPageIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10))
    let specific = command.cdw10 >> 8 & 0x7F
    let retainsEvent = command.cdw10 & 1 << 15 != 0
    let offset = UInt64(command.cdw12) | UInt64(command.cdw13) << 32
    guard offset % 4 == 0, command.cdw14 & 1 << 23 == 0 else { return .invalidFieldInCommand.withDoNotRetry }
    guard let content = content(of: page, specific: specific, namespace: command.namespaceIdentifier) else {
      return .invalidLogPage.withDoNotRetry
    }
    guard offset <= content.count else { return .invalidFieldInCommand.withDoNotRetry }
    base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    let available = min(byteCount, content.count - Int(offset))
    content.withUnsafeBytes { bytes in
      if available > 0 { base.copyMemory(from: bytes.baseAddress! + Int(offset), byteCount: available) }
    }
    if !retainsEvent { logPageRead(page) }
    return .success
  }

  private func content(of page: LogPageIdentifier, specific: UInt32, namespace: UInt32) -> [UInt8]? {
    guard supportedLogPages.contains(page) else { return nil }
    switch page {
    case .supportedLogPages:
      return made(1024) { writer in
        // LSUPP.
        for page in supportedLogPages { writer.put(UInt32(1), at: 4 * Int(page.rawValue)) }
      }
    case .errorInformation: return errorLog()
    case .smartHealth: return healthLog()
    case .firmwareSlot:
      return made(512) { writer in
        writer.put(UInt8(1), at: 0)
        writer.put(
          text: subsystem?.configuration.firmwareRevision ?? "1.0", at: 8, count: 8, filler: 0x20)
      }
    case .changedNamespaceList:
      return made(4096) { writer in
        if changedNamespaces.count > 1024 {
          writer.put(UInt32.max, at: 0)
        } else {
          for (position, identifier) in changedNamespaces.sorted().enumerated() {
            writer.put(identifier, at: 4 * position)
          }
        }
      }
    case .commandsSupportedAndEffects: return effectsLog()
    case .asymmetricNamespaceAccess: return accessLog(groupsOnly: specific & 1 != 0)
    case .discovery: return core.discoveryLog(for: self)
    default: return nil
    }
  }

  var supportedLogPages: [LogPageIdentifier] {
    isDiscovery
      ? [.supportedLogPages, .errorInformation, .discovery]
      : [
        .supportedLogPages, .errorInformation, .smartHealth, .firmwareSlot, .changedNamespaceList,
        .commandsSupportedAndEffects, .asymmetricNamespaceAccess,
      ]
  }

  private func made(_ byteCount: Int, _ fill: (DataWriter) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      fill(DataWriter(UnsafeMutableRawPointer(buffer.baseAddress!), byteCount: byteCount))
      count = byteCount
    }
  }

  /// NVMe Base 2.1, figure 205: the newest first.
  private func errorLog() -> [UInt8] {
    made(64 * Self.maximumErrors) { writer in
      for (position, record) in errors.reversed().enumerated() {
        let offset = 64 * position
        writer.put(record.count, at: offset)
        writer.put(record.queueIdentifier, at: offset + 8)
        writer.put(record.commandIdentifier, at: offset + 10)
        writer.put(record.status.rawValue << 1, at: offset + 12)
        // Parameter error location: not given.
        writer.put(UInt16.max, at: offset + 14)
        writer.put(record.startingLBA, at: offset + 16)
        writer.put(record.namespaceIdentifier, at: offset + 24)
        // TRTYPE.
        writer.put(UInt8(3), at: offset + 29)
      }
    }
  }

  /// NVMe Base 2.1, figure 206.
  private func healthLog() -> [UInt8] {
    made(512) { writer in
      // 27 °C in kelvin.
      writer.put(UInt16(300), at: 1)
      writer.put(UInt8(100), at: 3)
      writer.put(UInt8(10), at: 4)
      // Thousands of 512-byte units, rounded up.
      writer.put((statistics.pointee.readBytes + 511_999) / 512_000, at: 32)
      writer.put((statistics.pointee.writtenBytes + 511_999) / 512_000, at: 48)
      writer.put(statistics.pointee.readCommands, at: 64)
      writer.put(statistics.pointee.writeCommands, at: 80)
      writer.put(errorCount, at: 176)
    }
  }

  /// NVMe Base 2.1, figure 210: CSUPP, and LBCC where logical blocks change.
  private func effectsLog() -> [UInt8] {
    made(4096) { writer in
      let admin: [AdminOpcode] = [
        .getLogPage, .identify, .abort, .setFeatures, .getFeatures, .asynchronousEventRequest, .keepAlive, .fabrics,
      ]
      for opcode in admin { writer.put(UInt32(1), at: 4 * Int(opcode.rawValue)) }
      let reads: [IOOpcode] = [.flush, .read, .compare, .verify]
      for opcode in reads { writer.put(UInt32(1), at: 1024 + 4 * Int(opcode.rawValue)) }
      let writes: [IOOpcode] = [.write, .writeZeroes, .datasetManagement]
      for opcode in writes { writer.put(UInt32(0b11), at: 1024 + 4 * Int(opcode.rawValue)) }
    }
  }

  /// NVMe Base 2.1, figures 223 and 224.
  private func accessLog(groupsOnly: Bool) -> [UInt8]? {
    guard let subsystem else { return nil }
    let groups = subsystem.accessGroups
    let members = groups.map { group in
      groupsOnly ? [] : subsystem.activeIdentifiers.filter { subsystem.namespaces[$0]?.accessGroup == group }
    }
    let byteCount = 16 + groups.count * 32 + members.reduce(0) { $0 + $1.count } * 4
    return made(byteCount) { writer in
      writer.put(subsystem.accessChangeCount, at: 0)
      writer.put(UInt16(groups.count), at: 8)
      var offset = 16
      for (group, identifiers) in zip(groups, members) {
        writer.put(group, at: offset)
        writer.put(UInt32(identifiers.count), at: offset + 4)
        writer.put(subsystem.accessChangeCount, at: offset + 8)
        writer.put(port.accessStates[Int(group)], at: offset + 16)
        offset += 32
        for identifier in identifiers {
          writer.put(identifier, at: offset)
          offset += 4
        }
      }
    }
  }
}
