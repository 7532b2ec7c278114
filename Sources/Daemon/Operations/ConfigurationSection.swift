/// One part of the configuration ("subsystem"): the calls that make the daemon what it is now.
package struct ConfigurationSection: Sendable {
  package var name: String
  /// Sections that come before it.
  package var dependencies: [String]
  /// The calls, in the order in which they are to be made.
  package var entries: @Sendable () async -> [ConfigurationEntry]

  package init(
    _ name: String, dependsOn dependencies: [String] = [],
    entries: @escaping @Sendable () async -> [ConfigurationEntry] = { [] }
  ) {
    self.name = name
    self.dependencies = dependencies
    self.entries = entries
  }
}
