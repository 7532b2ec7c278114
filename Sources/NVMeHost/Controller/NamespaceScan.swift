internal import NVMeProtocol

/// Reads a controller's active namespaces, one command at a time: the list (NVMe Base 2.1, section 5.1.13.2.2, CNS 02h),
/// then of each one CNS 00h and CNS 03h. Sans-I/O: `nextCommand` and `handle` take turns.
struct NamespaceScan {
  /// More than this many namespaces are not taken on; a hostile list could name four thousand million.
  static let maximumNamespaceCount = 16_384

  private enum Phase {
    case list(after: UInt32)
    case namespace
    case descriptors
    case done
  }

  private var phase = Phase.list(after: 0)
  private var identifiers: [UInt32] = []
  private var position = 0
  private var current: NamespaceInformation?
  /// What was known before.
  private let known: [UInt32: NamespaceInformation]
  private(set) var found: [UInt32: NamespaceInformation] = [:]
  private(set) var isTruncated = false
  /// Some namespace could not be identified for the time being: it is to be looked for again.
  private(set) var isIncomplete = false

  init(known: [UInt32: NamespaceInformation] = [:]) { self.known = known }

  var isDone: Bool { if case .done = phase { true } else { false } }

  /// The next command; nil when done. All of them read 4096 bytes.
  func nextCommand() -> SubmissionQueueEntry? {
    switch phase {
    case .list(let after): .identify(.activeNamespaceList, namespaceIdentifier: after)
    case .namespace: .identify(.namespace, namespaceIdentifier: identifiers[position])
    case .descriptors: .identify(.namespaceDescriptors, namespaceIdentifier: identifiers[position])
    case .done: nil
    }
  }

  var stepName: String {
    switch phase {
    case .list: "reading the namespace list"
    case .namespace, .descriptors: "identifying namespace \(identifiers[position])"
    case .done: "scanning namespaces"
    }
  }

  /// Takes the answer to ``nextCommand()``.
  mutating func handle(status: StatusField, data: [UInt8]) throws(ControllerError) {
    switch phase {
    case .list:
      guard status.isSuccess else { throw .refused(step: stepName, status) }
      try handleList(data)
    case .namespace:
      // A namespace may go between the list and here: then it is not there.
      guard status.isSuccess else {
        if Self.saysItCannotBeReached(status) {
          keepWhatWasKnown(after: status)
        } else if !Self.saysItIsNotThere(status) && !status.matches(.invalidFieldInCommand) {
          guard status.doNotRetry else { throw .refused(step: stepName, status) }
          // It is there, and something is wrong with it: the others are none the worse for that.
          found[identifiers[position]] = known[identifiers[position]] ?? Self.refused(identifiers[position], status)
        }
        advance()
        return
      }
      do throws(DecodingError) {
        let identify = try IdentifyNamespace(decoding: data.span.bytes)
        // All zero is how an inactive namespace looks.
        if identify.isInactive {
          advance()
          return
        }
        current = NamespaceInformation(identifier: identifiers[position], identify)
        phase = .descriptors
      } catch {
        throw .malformed(error)
      }
    case .descriptors:
      // It may go here, too. To go by a part of its identifiers would make it another namespace when it is back.
      if Self.saysItIsNotThere(status) || Self.saysItCannotBeReached(status) {
        if Self.saysItCannotBeReached(status) { keepWhatWasKnown(after: status) }
        advance()
        return
      }
      // Controllers from before NVMe 1.3 have no descriptors; the identifiers of CNS 00h must do then.
      guard status.isSuccess || status.matches(.invalidFieldInCommand) || status.doNotRetry else {
        throw .refused(step: stepName, status)
      }
      // One that is known stays what it was when they cannot be read: without them it would be another one.
      if status.isSuccess {
        do throws(DecodingError) {
          let list = try NamespaceDescriptorList(decoding: data.span.bytes)
          current?.take(list)
        } catch {
          // Which namespace it is cannot be told then; the others are none the worse for it.
          current?.unusableReason = error.description
          current = known[identifiers[position]] ?? current
        }
      } else if !status.matches(.invalidFieldInCommand) {
        current = known[identifiers[position]] ?? current
      }
      if let current { found[current.identifier] = current }
      advance()
    case .done:
      break
    }
  }

  private static func refused(_ identifier: UInt32, _ status: StatusField) -> NamespaceInformation {
    var namespace = NamespaceInformation(identifier: identifier, IdentifyNamespace())
    namespace.unusableReason = "identifying it was refused by the controller: \(status)"
    return namespace
  }

  private static func saysItIsNotThere(_ status: StatusField) -> Bool { status.matches(.invalidNamespaceOrFormat) }

  /// It is there, but not ready, or not to be reached over this path: both pass.
  private static func saysItCannotBeReached(_ status: StatusField) -> Bool {
    status.statusCodeType == .pathRelated || status.matches(.namespaceNotReady)
  }

  /// A namespace that is taken for gone is gone for good for whoever uses it.
  private mutating func keepWhatWasKnown(after status: StatusField) {
    found[identifiers[position]] = known[identifiers[position]]
    if !status.doNotRetry { isIncomplete = true }
  }

  private mutating func handleList(_ data: [UInt8]) throws(ControllerError) {
    let list: NamespaceIdentifierList
    do throws(DecodingError) {
      list = try NamespaceIdentifierList(decoding: data.span.bytes)
    } catch {
      throw .malformed(error)
    }
    for identifier in list.identifiers {
      // In ascending order, each once: a list that is not could lead us in circles.
      guard identifier > (identifiers.last ?? 0), identifier < 0xFFFF_FFFF else {
        throw .unusable("its namespace list is not in ascending order")
      }
      if identifiers.count == Self.maximumNamespaceCount {
        isTruncated = true
        break
      }
      identifiers.append(identifier)
    }
    if list.isFull, !isTruncated, let last = identifiers.last, last < 0xFFFF_FFFE {
      phase = .list(after: last)
    } else {
      phase = identifiers.isEmpty ? .done : .namespace
    }
  }

  private mutating func advance() {
    current = nil
    position += 1
    phase = position < identifiers.count ? .namespace : .done
  }
}
