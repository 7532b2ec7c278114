import Foundation
import Testing

/// The transition table of `docs/recovery.md`: what people read is what is tested.
enum TransitionTable {
  struct Cell: Sendable, CustomTestStringConvertible {
    var row: String
    var event: String
    var result: String
    var testDescription: String { "\(event) in \(row) is \(result)" }
  }

  static let cells: [Cell] = {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("docs/recovery.md")
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
    let lines = text.split(separator: "\n").drop { $0 != "<!-- transitions -->" }.dropFirst()
      .prefix { $0 != "<!-- end -->" }
    let rows = lines.map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    guard let events = rows.first?.dropFirst() else { return [] }
    return rows.dropFirst(2).flatMap { row in
      zip(events, row.dropFirst()).map { Cell(row: row[0], event: $0, result: $1) }
    }
  }()
}
