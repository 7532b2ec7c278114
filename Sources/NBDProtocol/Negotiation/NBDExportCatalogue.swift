/// What there is to export, as asked for during negotiation.
public protocol NBDExportCatalogue {
  /// All exports, in the order in which they are to be listed.
  var descriptions: [NBDExportDescription] { get }
  /// The export of a name, which may be empty: the default export. Nil when there is none.
  func description(ofExport name: String) -> NBDExportDescription?
}
