import ArgumentParser
import BlockDevice
import ToolSupport

/// A log page on the command line: a name, or a number.
struct LogPageArgument: ExpressibleByArgument, Hashable, Sendable {
  static let names: [(name: String, page: LogPageIdentifier)] = [
    ("supported", .supportedLogPages), ("error", .errorInformation), ("smart", .smartHealth),
    ("firmware", .firmwareSlot), ("changed-ns", .changedNamespaceList), ("effects", .commandsSupportedAndEffects),
    ("ana", .asymmetricNamespaceAccess),
  ]

  var page: LogPageIdentifier

  init(_ page: LogPageIdentifier) { self.page = page }

  init?(argument: String) {
    if let known = Self.names.first(where: { $0.name == argument.lowercased() }) {
      page = known.page
    } else if let number = ByteCount(argument)?.value, number <= 0xFF {
      page = LogPageIdentifier(rawValue: UInt8(number))
    } else {
      return nil
    }
  }

  var defaultValueDescription: String { page.name ?? "\(page.rawValue)" }
  static var allValueStrings: [String] { names.map(\.name) + ["0 … 0xff"] }
}
