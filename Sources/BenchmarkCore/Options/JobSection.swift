/// One section of a job file, or one `--name` group of the command line, not yet interpreted.
public struct JobSection: Sendable, Equatable {
  public var name: String
  public var location: OptionLocation
  public var entries: [GivenOption]

  public init(name: String, location: OptionLocation, entries: [GivenOption] = []) {
    self.name = name
    self.location = location
    self.entries = entries
  }

  public var isGlobal: Bool { name == "global" }
}
