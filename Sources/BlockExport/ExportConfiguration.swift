/// What the one who exports a device wishes.
public struct ExportConfiguration: Sendable, Hashable {
  /// What clients ask for: at most ``maximumNameByteCount`` bytes of UTF-8 without a zero byte. It may be empty.
  public var name: String
  /// For people; as long as a name may be.
  public var description = ""
  /// Clients may not change the device, whatever it can do.
  public var isReadOnly = false
  /// Largest data of one request in bytes, 64 KiB to 1 GiB; the device's own limit may be lower. Clients that know no limit
  /// take 32 MiB for granted (NBD, "Size constraints").
  public var maximumTransferByteCount: UInt32 = 32 << 20

  /// What NBD allows of a string.
  public static let maximumNameByteCount = 4096
  public static let transferByteCountRange: ClosedRange<UInt32> = 64 << 10...1 << 30

  public init(name: String) { self.name = name }

  /// - Throws: ``ExportError`` that names the field.
  public func validate() throws(ExportError) {
    for (field, text) in [("name", name), ("description", description)] {
      guard text.utf8.count <= Self.maximumNameByteCount else {
        throw ExportError(
          field: field, value: String(text.prefix(32)) + "…", rule: "it has at most \(Self.maximumNameByteCount) bytes")
      }
      guard !text.utf8.contains(0) else {
        throw ExportError(field: field, value: text, rule: "it has no zero byte")
      }
    }
    guard Self.transferByteCountRange.contains(maximumTransferByteCount) else {
      throw ExportError(
        field: "maximumTransferByteCount", value: "\(maximumTransferByteCount)", rule: "64 KiB to 1 GiB, in bytes")
    }
  }
}
