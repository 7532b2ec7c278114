/// The rules for received PDU headers, as one pure function.
///
/// Fields are checked in the order they have on the wire, so that the lowest incorrect one is reported
/// (NVMe/TCP Transport Specification, sections 3.6.2.4 and 3.6.2.5, FEI). Reserved fields are not checked, as
/// receivers are not asked to (NVM Express Base Specification, section 1.4.2, "reserved"), except reserved bits of
/// FLAGS and DGST and PDO of PDUs without data: set, they mean data or digests where none can be.
///
/// What needs the state of commands (CCCID, TTAG, ranges, order) is the queue-pair engines' to check; header digests
/// are compared by the receiver, after ``validateCommonHeader(_:receiver:parameters:)``.
public enum PDUValidation {
  /// Checks a whole header.
  ///
  /// - Parameters:
  ///   - header: the first eight bytes, loaded.
  ///   - headerBytes: the PDU from its first byte on. Read only up to HLEN of the type, and only after HLEN has been
  ///     found right. No alignment needed.
  ///   - receiver: who has received it.
  /// - Returns: nil where every rule is kept.
  public static func validate(
    _ header: PDUCommonHeader, headerBytes: UnsafeRawPointer, receiver: ConnectionRole,
    parameters: ConnectionParameters
  ) -> PDUViolation? {
    if let violation = validateCommonHeader(header, receiver: receiver, parameters: parameters) { return violation }
    return validateSpecificHeader(header, headerBytes: headerBytes, parameters: parameters)
  }

  /// The first part of ``validate(_:headerBytes:receiver:parameters:)``: PDU-Type, FLAGS, HLEN, PDO and PLEN, all that
  /// a receiver must know to be right before it waits for the rest of the header.
  public static func validateCommonHeader(
    _ header: PDUCommonHeader, receiver: ConnectionRole, parameters: ConnectionParameters
  ) -> PDUViolation? {
    guard let type = header.pduType else {
      return invalid(header, .type, .knownType, expected: 0 as UInt64, received: header.type)
    }
    guard type.receiver == receiver else {
      return invalid(header, .type, .direction, expected: 0 as UInt64, received: header.type)
    }

    var allowedFlags: PDUFlags = []
    var hasHeaderDigest = parameters.headerDigest
    // Whether the type has a place for data behind its header. The header fragment in a termination request is not
    // "data" in this sense: it has no PDO and no digest.
    var isDataCarrier = false
    var isInitialization = false
    var isTermination = false
    switch type {
    case .initializeConnectionRequest, .initializeConnectionResponse:
      isInitialization = true
      hasHeaderDigest = false
    case .hostToControllerTerminationRequest, .controllerToHostTerminationRequest:
      isTermination = true
      hasHeaderDigest = false
    case .capsuleResponse, .readyToTransfer:
      allowedFlags = [.headerDigest]
    case .capsuleCommand:
      allowedFlags = [.headerDigest, .dataDigest]
      isDataCarrier = true
    case .hostToControllerData:
      allowedFlags = [.headerDigest, .dataDigest, .last]
      isDataCarrier = true
    case .controllerToHostData:
      allowedFlags = [.headerDigest, .dataDigest, .last, .success]
      isDataCarrier = true
    }

    // Phase. A termination request may answer anything, ICReq and ICResp included.
    if !isTermination && isInitialization == parameters.initialized {
      return PDUViolation(
        .pduSequenceError, type: header.type, field: .type, rule: .phase, expected: 0, received: UInt64(header.type))
    }

    let headerByteCount = UInt64(type.headerByteCount)
    let digestedHeaderByteCount = headerByteCount + (hasHeaderDigest ? UInt64(PDULayout.digestByteCount) : 0)
    let length = UInt64(header.length)
    // H2CData and C2HData are nothing without data; a command capsule has data if it is longer than its header.
    let hasData = isDataCarrier && (type != .capsuleCommand || length > digestedHeaderByteCount)
    let hasDataDigest = hasData && parameters.dataDigest

    // FLAGS.
    let flags = header.flags
    guard flags.isSubset(of: allowedFlags) else {
      return invalid(header, .flags, .onlyBits, expected: allowedFlags.rawValue, received: flags.rawValue)
    }
    guard flags.contains(.headerDigest) == hasHeaderDigest else {
      return invalid(
        header, .flags, hasHeaderDigest ? .bitsSet : .bitsClear, expected: PDUFlags.headerDigest.rawValue,
        received: flags.rawValue)
    }
    guard flags.contains(.dataDigest) == hasDataDigest else {
      return invalid(
        header, .flags, hasDataDigest ? .bitsSet : .bitsClear, expected: PDUFlags.dataDigest.rawValue,
        received: flags.rawValue)
    }
    if flags.contains(.success) && !flags.contains(.last) {
      return invalid(header, .flags, .successOnlyWithLast, expected: 0 as UInt64, received: flags.rawValue)
    }

    // HLEN.
    guard UInt64(header.headerLength) == headerByteCount else {
      return invalid(header, .headerLength, .equal, expected: headerByteCount, received: header.headerLength)
    }

    // PDO.
    let dataOffset = UInt64(header.dataOffset)
    if hasData {
      guard dataOffset >= digestedHeaderByteCount else {
        return invalid(header, .dataOffset, .atLeast, expected: digestedHeaderByteCount, received: dataOffset)
      }
      let alignment =
        receiver == .host ? parameters.hostPDUDataAlignmentBytes : parameters.controllerPDUDataAlignmentBytes
      guard alignment <= 1 || dataOffset % UInt64(alignment) == 0 else {
        return invalid(header, .dataOffset, .multipleOf, expected: UInt64(alignment), received: dataOffset)
      }
    } else if dataOffset != 0 {
      return invalid(header, .dataOffset, .equal, expected: 0 as UInt64, received: dataOffset)
    }

    // PLEN.
    if isTermination {
      guard length >= headerByteCount else {
        return invalid(header, .length, .atLeast, expected: headerByteCount, received: length)
      }
      guard length <= UInt64(TerminationRequest.maximumByteCount) else {
        return invalid(
          header, .length, .atMost, expected: UInt64(TerminationRequest.maximumByteCount), received: length)
      }
    } else if hasData {
      let digest = hasDataDigest ? UInt64(PDULayout.digestByteCount) : 0
      guard length > dataOffset + digest else {
        return invalid(header, .length, .atLeast, expected: dataOffset + digest + 1, received: length)
      }
      if type == .capsuleCommand {
        let maximum = dataOffset + UInt64(parameters.maximumInCapsuleDataLength) + digest
        guard length <= maximum else {
          return PDUViolation(
            .limitExceeded, type: header.type, field: .length, rule: .atMost, expected: maximum, received: length)
        }
      }
    } else if length != digestedHeaderByteCount {
      return invalid(header, .length, .equal, expected: digestedHeaderByteCount, received: length)
    }
    return nil
  }

  /// The second part of ``validate(_:headerBytes:receiver:parameters:)``: the fields behind the common header, of a
  /// header whose first part has been found right.
  ///
  /// - Parameter headerBytes: the PDU from its first byte on, HLEN bytes.
  public static func validateSpecificHeader(
    _ header: PDUCommonHeader, headerBytes: UnsafeRawPointer, parameters: ConnectionParameters
  ) -> PDUViolation? {
    guard let type = header.pduType else {
      return invalid(header, .type, .knownType, expected: 0 as UInt64, received: header.type)
    }
    switch type {
    case .hostToControllerTerminationRequest, .controllerToHostTerminationRequest, .capsuleCommand, .capsuleResponse:
      return nil
    case .initializeConnectionRequest:
      return validate(ICRequest(loading: headerBytes))
    case .initializeConnectionResponse:
      return validate(ICResponse(loading: headerBytes), parameters: parameters)
    case .hostToControllerData:
      let data = H2CDataHeader(loading: headerBytes)
      if let violation = validateTransfer(header, offset: data.dataOffset, length: data.dataLength) {
        return violation
      }
      if data.dataLength > parameters.maximumH2CDataLength {
        return PDUViolation(
          .limitExceeded, type: header.type, field: .transferLength, rule: .atMost,
          expected: UInt64(parameters.maximumH2CDataLength), received: UInt64(data.dataLength))
      }
      return nil
    case .controllerToHostData:
      let data = C2HDataHeader(loading: headerBytes)
      return validateTransfer(header, offset: data.dataOffset, length: data.dataLength)
    case .readyToTransfer:
      return validate(ReadyToTransferHeader(loading: headerBytes))
    }
  }

  private static func validate(_ request: ICRequest) -> PDUViolation? {
    let header = request.common
    guard request.pduFormatVersion == 0 else {
      return PDUViolation(
        .unsupportedParameter, type: header.type, field: .pduFormatVersion, rule: .equal, expected: 0,
        received: UInt64(request.pduFormatVersion))
    }
    guard request.hostPDUDataAlignment <= 31 else {
      return invalid(
        header, .hostPDUDataAlignment, .atMost, expected: 31 as UInt64, received: request.hostPDUDataAlignment)
    }
    let known: PDUDigests = [.header, .data]
    guard request.digests.isSubset(of: known) else {
      return invalid(header, .digests, .onlyBits, expected: known.rawValue, received: request.digests.rawValue)
    }
    return nil
  }

  private static func validate(_ response: ICResponse, parameters: ConnectionParameters) -> PDUViolation? {
    let header = response.common
    guard response.pduFormatVersion == 0 else {
      return PDUViolation(
        .unsupportedParameter, type: header.type, field: .pduFormatVersion, rule: .equal, expected: 0,
        received: UInt64(response.pduFormatVersion))
    }
    guard response.controllerPDUDataAlignment <= 31 else {
      return invalid(
        header, .controllerPDUDataAlignment, .atMost, expected: 31 as UInt64,
        received: response.controllerPDUDataAlignment)
    }
    // A controller enables at most what the host asked for; this also covers the reserved bits.
    var requested: PDUDigests = []
    if parameters.headerDigest { requested.insert(.header) }
    if parameters.dataDigest { requested.insert(.data) }
    guard response.digests.isSubset(of: requested) else {
      return invalid(header, .digests, .onlyBits, expected: requested.rawValue, received: response.digests.rawValue)
    }
    guard response.maximumH2CDataLength >= 4096 else {
      return invalid(
        header, .maximumH2CDataLength, .atLeast, expected: 4096 as UInt64, received: response.maximumH2CDataLength)
    }
    guard response.maximumH2CDataLength % 4 == 0 else {
      return invalid(
        header, .maximumH2CDataLength, .multipleOf, expected: 4 as UInt64, received: response.maximumH2CDataLength)
    }
    return nil
  }

  private static func validate(_ request: ReadyToTransferHeader) -> PDUViolation? {
    let header = request.common
    guard request.offset % 4 == 0 else {
      return invalid(header, .readyToTransferOffset, .multipleOf, expected: 4 as UInt64, received: request.offset)
    }
    guard request.length > 0 else {
      return invalid(header, .readyToTransferLength, .atLeast, expected: 1 as UInt64, received: request.length)
    }
    guard !request.offset.addingReportingOverflow(request.length).overflow else {
      return PDUViolation(
        .dataTransferOutOfRange, type: header.type, field: .readyToTransferLength, rule: .withinRange,
        expected: UInt64(UInt32.max), received: UInt64(request.length))
    }
    return nil
  }

  /// DATAO and DATAL of H2CData and C2HData.
  private static func validateTransfer(_ header: PDUCommonHeader, offset: UInt32, length: UInt32) -> PDUViolation? {
    guard offset % 4 == 0 else {
      return invalid(header, .transferOffset, .multipleOf, expected: 4 as UInt64, received: offset)
    }
    // PLEN holds at least one byte of data, so DATAL of 0 is caught here too.
    let data = UInt64(header.dataLength)
    guard UInt64(length) == data else {
      return invalid(header, .transferLength, .matchesData, expected: data, received: length)
    }
    guard !offset.addingReportingOverflow(length).overflow else {
      return PDUViolation(
        .dataTransferOutOfRange, type: header.type, field: .transferLength, rule: .withinRange,
        expected: UInt64(UInt32.max), received: UInt64(length))
    }
    return nil
  }

  private static func invalid(
    _ header: PDUCommonHeader, _ field: PDUField, _ rule: PDURule, expected: some UnsignedInteger,
    received: some UnsignedInteger
  ) -> PDUViolation {
    PDUViolation(
      .invalidPDUHeaderField, type: header.type, field: field, rule: rule,
      expected: UInt64(truncatingIfNeeded: expected), received: UInt64(truncatingIfNeeded: received))
  }
}
