/// The calls that make the daemon what it is, to be looked up by what they are about: there may be thousands.
struct ConfigurationIndex {
  /// What a call does to what.
  struct Subject: Hashable {
    private var method: String
    private var name: String?

    init(_ entry: ConfigurationEntry) {
      method = entry.method
      name = entry.deviceName ?? entry.name
    }
  }

  private let entries: [Subject: [ConfigurationEntry]]

  init(_ document: ConfigurationDocument) { entries = Dictionary(grouping: document.entries, by: Subject.init) }

  /// Whether one of them says all that a call of a file does.
  func has(_ entry: ConfigurationEntry) -> Bool { entries[Subject(entry)]?.contains { $0.says(entry) } ?? false }
}
