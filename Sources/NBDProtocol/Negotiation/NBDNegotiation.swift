/// The server's side of fixed newstyle negotiation, sans-I/O: bytes in, bytes and an outcome out.
///
/// One option at a time is taken: input behind it is left until its replies have been sent, so that a client which does not
/// read them makes nobody keep them ("the client MUST NOT send any option until it has received a final reply").
public struct NBDNegotiation {
  private enum State {
    case clientFlags
    case option
    case data(NBDOption, byteCount: Int)
    /// An option that is too large to look at.
    case skipping(NBDOption, left: UInt32)
    case ended
  }

  /// Longest option that is looked at, in bytes: names have at most 4096, queries are few.
  public static let maximumOptionByteCount = 64 << 10
  /// "Conventions": strings.
  static let maximumStringByteCount = 4096
  private static let optionHeaderByteCount = 16
  static let allocationContext = "base:allocation"
  private static let allocationContextIdentifier: UInt32 = 1

  private let catalogue: any NBDExportCatalogue
  private let policy: NBDTLSPolicy
  private var state = State.clientFlags
  /// What has come of the piece that is waited for.
  private var pending: [UInt8] = []
  private var output: [UInt8] = []
  private var hasFixedNewstyle = false
  private var omitsZeroes = false
  private var isSecure = false
  private var style = NBDReplyStyle.simple
  private var refusal: NBDOptionRefusal?
  /// The export that `base:allocation` has been selected for.
  private var allocationExport: String?

  /// The greeting is the first output.
  public init(catalogue: any NBDExportCatalogue, policy: NBDTLSPolicy = .none) {
    self.catalogue = catalogue
    self.policy = policy
    output.append(bigEndian: NBDMagic.initial)
    output.append(bigEndian: NBDMagic.option)
    // NBD_FLAG_FIXED_NEWSTYLE, NBD_FLAG_NO_ZEROES
    output.append(bigEndian: 0b11 as UInt16)
  }

  /// Hands out what is to be sent.
  public mutating func takeOutput() -> [UInt8] {
    let bytes = output
    output = []
    return bytes
  }

  /// The TLS handshake is done: all negotiation begins anew but for the greeting ("NBD_OPT_STARTTLS").
  public mutating func becameSecure() {
    isSecure = true
    style = .simple
    allocationExport = nil
    state = .option
  }

  /// Takes input until something is to be done.
  ///
  /// - Returns: how many bytes have been taken, and where negotiation stands. With `open` and bytes left there is output.
  public mutating func receive(_ bytes: UnsafeRawBufferPointer) -> (taken: Int, outcome: NBDNegotiationOutcome) {
    var taken = 0
    while true {
      let wanted: Int
      switch state {
      case .clientFlags: wanted = 4
      case .option: wanted = Self.optionHeaderByteCount
      case .data(_, let byteCount): wanted = byteCount
      case .skipping(let option, let left):
        let count = min(Int(left), bytes.count - taken)
        taken += count
        if count < Int(left) {
          state = .skipping(option, left: left - UInt32(count))
          return (taken, .open)
        }
        state = .option
        let outcome = handleTooLarge(option)
        if case .disconnect = outcome { state = .ended }
        return (taken, outcome)
      case .ended:
        return (taken, .disconnect("the negotiation is over"))
      }
      let count = min(wanted - pending.count, bytes.count - taken)
      pending.append(contentsOf: bytes[taken..<taken + count])
      taken += count
      if pending.count < wanted { return (taken, .open) }
      var piece: [UInt8] = []
      swap(&piece, &pending)
      let outcome = handle(piece)
      switch outcome {
      case .open:
        if !output.isEmpty { return (taken, .open) }
      case .startTLS, .transmission, .disconnect:
        state = .ended
        return (taken, outcome)
      }
    }
  }

  private mutating func handle(_ piece: [UInt8]) -> NBDNegotiationOutcome {
    switch state {
    case .clientFlags:
      let flags = piece.integer(0, UInt32.self)
      guard flags & ~0b11 == 0 else { return .disconnect("the client sets unknown flags") }
      hasFixedNewstyle = flags & 1 != 0
      omitsZeroes = flags & 2 != 0
      state = .option
      return .open
    case .option:
      guard piece.integer(0, UInt64.self) == NBDMagic.option else {
        return .disconnect("an option does not begin with its magic number")
      }
      let option = NBDOption(rawValue: piece.integer(8, UInt32.self))
      let byteCount = piece.integer(12, UInt32.self)
      if byteCount > Self.maximumOptionByteCount {
        if option == .exportName { return .disconnect("an export's name is too long") }
        state = .skipping(option, left: byteCount)
      } else if byteCount == 0 {
        return handle(option, [])
      } else {
        state = .data(option, byteCount: Int(byteCount))
      }
      return .open
    case .data(let option, _):
      state = .option
      return handle(option, piece)
    case .skipping, .ended:
      preconditionFailure("nothing is waited for")
    }
  }

  private mutating func handle(_ option: NBDOption, _ data: [UInt8]) -> NBDNegotiationOutcome {
    // Without fixed newstyle a client understands no reply ("Newstyle negotiation").
    if !hasFixedNewstyle, option != .exportName { return .disconnect("an option without fixed newstyle") }
    guard isAllowed(option) else {
      return option == .exportName ? .disconnect("TLS is required") : .open
    }
    switch option {
    case .exportName:
      return exportName(data)
    case .abort:
      reply(option, .acknowledge)
      return .disconnect("the client has ended the negotiation")
    case .list:
      guard isEmpty(option, data) else { return .open }
      for export in catalogue.descriptions {
        var content: [UInt8] = []
        content.append(bigEndian: UInt32(export.name.utf8.count))
        content.append(contentsOf: export.name.utf8)
        content.append(contentsOf: export.description.utf8)
        reply(option, .server, content)
      }
      reply(option, .acknowledge)
    case .startTLS:
      return startTLS(data)
    case .info, .go:
      return information(option, data)
    case .structuredReply:
      guard isEmpty(option, data) else { return .open }
      if style == .extended {
        reply(option, .errorExtendedHeadersRequired, text: "extended headers have been negotiated")
      } else {
        style = .structured
        reply(option, .acknowledge)
      }
    case .extendedHeaders:
      guard isEmpty(option, data) else { return .open }
      style = .extended
      reply(option, .acknowledge)
    case .listMetaContext, .setMetaContext:
      metaContext(option, data)
    default:
      reply(option, .errorUnsupported, text: "option \(option.rawValue) is not supported")
    }
    return .open
  }

  /// The option's data have been skipped.
  private mutating func handleTooLarge(_ option: NBDOption) -> NBDNegotiationOutcome {
    // What it is comes first ("an unknown option").
    guard option.isKnown, hasFixedNewstyle else { return handle(option, []) }
    if isAllowed(option) {
      reply(option, .errorTooBig, text: "an option has at most \(Self.maximumOptionByteCount) bytes of data")
    }
    return .open
  }

  /// False where TLS has to be started first, which has been replied then ("FORCEDTLS mode"). EXPORT_NAME has no reply.
  private mutating func isAllowed(_ option: NBDOption) -> Bool {
    if policy != .required || isSecure || option == .startTLS || option == .abort { return true }
    if option != .exportName { reply(option, .errorTLSRequired, text: "this server requires TLS") }
    return false
  }

  private mutating func isEmpty(_ option: NBDOption, _ data: [UInt8]) -> Bool {
    if data.isEmpty { return true }
    reply(option, .errorInvalid, text: "the option takes no data")
    return false
  }

  private mutating func exportName(_ data: [UInt8]) -> NBDNegotiationOutcome {
    guard style != .extended else { return .disconnect("NBD_OPT_EXPORT_NAME after extended headers") }
    guard let name = Self.string(data[...]), let export = catalogue.description(ofExport: name) else {
      return .disconnect("there is no export of the name that the client gives")
    }
    output.append(bigEndian: export.limits.byteCount)
    output.append(bigEndian: export.limits.flags(style).rawValue)
    if !omitsZeroes { output.append(contentsOf: repeatElement(0, count: 124)) }
    return .transmission(session(export))
  }

  private mutating func startTLS(_ data: [UInt8]) -> NBDNegotiationOutcome {
    guard isEmpty(.startTLS, data) else { return .open }
    if isSecure {
      reply(.startTLS, .errorInvalid, text: "TLS has been started already")
    } else if policy == .none {
      reply(.startTLS, .errorUnsupported, text: "this server has no TLS")
    } else {
      reply(.startTLS, .acknowledge)
      return .startTLS
    }
    return .open
  }

  private func session(_ export: NBDExportDescription) -> NBDSession {
    NBDSession(
      export: export, style: style,
      allocationContextIdentifier: allocationExport == export.name ? Self.allocationContextIdentifier : nil)
  }

  private mutating func information(_ option: NBDOption, _ data: [UInt8]) -> NBDNegotiationOutcome {
    var reader = NBDOptionReader(data)
    guard let name = reader.string(), let count = reader.integer(UInt16.self), reader.left == 2 * Int(count) else {
      reply(option, .errorInvalid, text: "the lengths within the option do not fit")
      return .open
    }
    var wanted: Set<UInt16> = []
    for _ in 0..<count { wanted.insert(reader.integer(UInt16.self) ?? 0) }
    guard let export = catalogue.description(ofExport: name) else {
      reply(option, .errorUnknown, text: "there is no export of this name")
      return .open
    }
    var content: [UInt8] = []
    content.append(bigEndian: NBDInformation.export.rawValue)
    content.append(bigEndian: export.limits.byteCount)
    content.append(bigEndian: export.limits.flags(style).rawValue)
    reply(option, .info, content)
    if wanted.contains(NBDInformation.name.rawValue) { inform(option, .name, Array(export.name.utf8)) }
    if wanted.contains(NBDInformation.description.rawValue), !export.description.isEmpty {
      inform(option, .description, Array(export.description.utf8))
    }
    // Also to those who do not ask: a server MUST tell of constraints other than the default, which is a minimum of 1
    // ("Block size constraints"). It MAY refuse who does not ask; but most of those keep to blocks all the same, and what is
    // outside is answered with an error, which is what the document wants of a server that lets them in.
    var sizes: [UInt8] = []
    sizes.append(bigEndian: export.limits.minimumBlockByteCount)
    sizes.append(bigEndian: export.limits.preferredBlockByteCount)
    sizes.append(bigEndian: export.limits.maximumPayloadByteCount)
    inform(option, .blockSize, sizes)
    reply(option, .acknowledge)
    return option == .go ? .transmission(session(export)) : .open
  }

  private mutating func inform(_ option: NBDOption, _ information: NBDInformation, _ data: [UInt8]) {
    var content: [UInt8] = []
    content.append(bigEndian: information.rawValue)
    content.append(contentsOf: data)
    reply(option, .info, content)
  }

  private mutating func metaContext(_ option: NBDOption, _ data: [UInt8]) {
    let isSelection = option == .setMetaContext
    // Whatever becomes of it, an earlier selection is no more.
    if isSelection { allocationExport = nil }
    var reader = NBDOptionReader(data)
    var queries: [String] = []
    guard let name = reader.string(), let count = reader.integer(UInt32.self) else {
      reply(option, .errorInvalid, text: "the lengths within the option do not fit")
      return
    }
    for _ in 0..<count {
      guard let query = reader.string() else {
        reply(option, .errorInvalid, text: "the lengths within the option do not fit")
        return
      }
      queries.append(query)
    }
    guard reader.left == 0 else {
      reply(option, .errorInvalid, text: "there is data behind the last query")
      return
    }
    guard !isSelection || style != .simple else {
      reply(option, .errorInvalid, text: "structured replies have not been negotiated")
      return
    }
    guard let export = catalogue.description(ofExport: name) else {
      reply(option, .errorUnknown, text: "there is no export of this name")
      return
    }
    // An empty leaf name is a wildcard for lists alone ("The base: metadata namespace").
    let isWanted =
      queries.contains(Self.allocationContext) || !isSelection && (queries.isEmpty || queries.contains("base:"))
    if isWanted {
      var content: [UInt8] = []
      content.append(bigEndian: isSelection ? Self.allocationContextIdentifier : 0)
      content.append(contentsOf: Self.allocationContext.utf8)
      reply(option, .metaContext, content)
      if isSelection { allocationExport = export.name }
    }
    reply(option, .acknowledge)
  }

  /// The latest option that was refused; told once.
  public mutating func takeRefusal() -> NBDOptionRefusal? {
    defer { refusal = nil }
    return refusal
  }

  private mutating func reply(_ option: NBDOption, _ type: NBDOptionReply, text: String) {
    refusal = NBDOptionRefusal(option: option, reason: text)
    reply(option, type, Array(text.utf8))
  }

  private mutating func reply(_ option: NBDOption, _ type: NBDOptionReply, _ data: [UInt8] = []) {
    output.append(bigEndian: NBDMagic.optionReply)
    output.append(bigEndian: option.rawValue)
    output.append(bigEndian: type.rawValue)
    output.append(bigEndian: UInt32(data.count))
    output.append(contentsOf: data)
  }

  /// A string of the protocol; nil when it is none.
  static func string(_ bytes: ArraySlice<UInt8>) -> String? {
    guard bytes.count <= maximumStringByteCount, !bytes.contains(0) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }
}

extension [UInt8] {
  fileprivate func integer<Value: FixedWidthInteger>(_ offset: Int, _ type: Value.Type) -> Value {
    self[offset..<offset + MemoryLayout<Value>.size].reduce(0) { $0 << 8 | Value($1) }
  }
}
