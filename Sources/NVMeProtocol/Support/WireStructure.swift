/// A structure that is decoded from and encoded to bytes in one piece: identify data, logs, Connect data.
///
/// Not for the hot path: these allocate. Decoders accept more bytes than they need, ignore reserved fields, and never
/// trap, whatever the content; encoders write reserved fields as zeroes.
public protocol WireStructure: Sendable {
  /// The structure's name in the specification, for errors.
  static var structureName: String { get }

  /// - Throws: `DecodingError` that says where the bytes are not such a structure.
  init(decoding bytes: RawSpan) throws(DecodingError)

  /// The structure at its full length.
  func encode() -> [UInt8]
}

extension WireStructure {
  /// The same decoder from an array.
  public init(decoding bytes: [UInt8]) throws(DecodingError) {
    try self.init(decoding: bytes.span.bytes)
  }
}
