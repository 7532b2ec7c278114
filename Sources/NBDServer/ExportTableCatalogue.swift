internal import BlockExport
internal import NBDProtocol

/// An ``ExportTable`` as negotiation asks for it.
struct ExportTableCatalogue: NBDExportCatalogue {
  let table: ExportTable

  var descriptions: [NBDExportDescription] { table.exports.map { NBDExportDescription($0) } }
  func description(ofExport name: String) -> NBDExportDescription? { table[name].map { NBDExportDescription($0) } }
}
