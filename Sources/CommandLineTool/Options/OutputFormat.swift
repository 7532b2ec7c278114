import ArgumentParser

/// `--output-format`.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case normal
  case json
  case binary
}
