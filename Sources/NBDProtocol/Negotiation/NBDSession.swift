/// What negotiation has come to.
public struct NBDSession: Sendable, Hashable {
  public var export: NBDExportDescription
  public var style: NBDReplyStyle
  /// The identifier of `base:allocation`; nil when it has not been selected.
  public var allocationContextIdentifier: UInt32?

  public init(export: NBDExportDescription, style: NBDReplyStyle, allocationContextIdentifier: UInt32? = nil) {
    self.export = export
    self.style = style
    self.allocationContextIdentifier = allocationContextIdentifier
  }
}
