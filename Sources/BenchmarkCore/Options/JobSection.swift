/// One section of a job file, or one `--name` group of the command line, not yet interpreted.
public struct JobSection: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var name: String
    /// nil when written without `=`.
    public var value: String?
    public var location: OptionLocation

    public init(name: String, value: String?, location: OptionLocation) {
      self.name = name
      self.value = value
      self.location = location
    }
  }

  public var name: String
  public var location: OptionLocation
  public var entries: [Entry]

  public init(name: String, location: OptionLocation, entries: [Entry] = []) {
    self.name = name
    self.location = location
    self.entries = entries
  }

  public var isGlobal: Bool { name == "global" }
}
