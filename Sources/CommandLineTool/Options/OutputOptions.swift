import ArgumentParser

/// How results are shown.
struct OutputOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output-format"), .customLong("output")],
    help: "normal, json, or binary where the command has raw data")
  var format = OutputFormat.normal

  @Flag(name: [.customShort("H"), .customLong("human-readable")], help: "Tell what bit fields and units mean")
  var isHuman = false

  @Flag(name: [.customShort("b"), .customLong("raw-binary")], help: "The same as --output-format binary")
  var isRaw = false

  var effectiveFormat: OutputFormat { isRaw ? .binary : format }

  /// Prints one structure in the format asked for.
  func show(_ report: StructureReport, raw: [UInt8]) {
    switch effectiveFormat {
    case .normal: Console.print(report.text(isHuman: isHuman))
    case .json: Console.print(report.json)
    case .binary: Console.write(raw)
    }
  }
}
