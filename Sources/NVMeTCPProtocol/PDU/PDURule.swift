/// The kind of rule a PDU field broke; with ``PDUViolation/expected`` it makes the sentence of a report.
@frozen
public enum PDURule: UInt8, Sendable, CaseIterable {
  /// The type is none the specification knows.
  case knownType
  /// The type is one that this side sends, not receives.
  case direction
  /// The type may not come at this point of the connection.
  case phase
  /// The field must be `expected`.
  case equal
  /// The field must be at least `expected`.
  case atLeast
  /// The field must be at most `expected`.
  case atMost
  /// The field must be a multiple of `expected`.
  case multipleOf
  /// Only the bits of `expected` may be set.
  case onlyBits
  /// All bits of `expected` must be set.
  case bitsSet
  /// The bits of `expected` must be clear.
  case bitsClear
  /// SUCCESS is only allowed together with LAST_PDU.
  case successOnlyWithLast
  /// The field must fit what the data of the PDU amounts to, `expected`.
  case matchesData
  /// The field, added to its offset, must stay below `expected`.
  case withinRange
  /// The field must name something outstanding: a command, a transfer tag.
  case outstanding
  /// The PDU, or its data, is not the one that has to come next; `expected` where a number says it.
  case inOrder
}
