/// What the meaning of a value depends on beside its text.
public struct ValueContext: Sendable {
  /// 1024: `k` is 1024 and `Ki` is 1000 (fio's default, compatible with old job files). 1000: SI and IEC prefixes.
  public var kilobyteBase: UInt64

  public init(kilobyteBase: UInt64 = 1024) {
    self.kilobyteBase = kilobyteBase
  }
}
