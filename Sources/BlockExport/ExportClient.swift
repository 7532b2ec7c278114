/// Somebody who uses an export, for lists.
public struct ExportClient: Sendable, Hashable {
  /// The back end that serves it, such as "NBD".
  public var backEnd: String
  /// Where it comes from, for people.
  public var peer: String

  public init(backEnd: String, peer: String) {
    self.backEnd = backEnd
    self.peer = peer
  }
}
