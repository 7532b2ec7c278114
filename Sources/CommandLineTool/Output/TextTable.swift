/// Columns as `nvme list` shows them: a head, a line of dashes, rows.
struct TextTable: Sendable {
  var columns: [String]
  var rows: [[String]] = []

  /// Columns are as wide as their longest cell; there is no white space at the end of a line.
  var text: String {
    let widths = columns.indices.map { column in
      rows.reduce(columns[column].count) { max($0, $1[column].count) }
    }
    func line(_ cells: [String]) -> String {
      var line = zip(cells, widths).map { $0.padded(to: $1) }.joined(separator: " ")
      while line.last == " " { line.removeLast() }
      return line
    }
    let dashes = widths.map { String(repeating: "-", count: $0) }
    return ([columns, dashes] + rows).map(line).joined(separator: "\n")
  }
}
