import ArgumentParser

/// Names of subcommands: those nvme-cli has for what is done by others here, and advice on those there are not.
enum CommandName {
  /// nvme-cli's commands that are pages of `get-log`.
  static let logPages: [(command: String, page: String)] = [
    ("smart-log", "smart"), ("error-log", "error"), ("fw-log", "firmware"), ("ana-log", "ana"),
    ("effects-log", "effects"), ("changed-ns-list-log", "changed-ns"), ("supported-log-pages", "supported"),
  ]

  private static let advice: [String: String] = [
    "connect": nothingStaysConnected, "connect-all": nothingStaysConnected, "disconnect": nothingStaysConnected,
    "disconnect-all": nothingStaysConnected, "list-subsys": "\"nvmeof discover\" shows subsystems",
  ]

  private static let nothingStaysConnected =
    "each command connects by itself; \"nvmeof export\" and nvmeofd stay connected, and serve namespaces"

  /// The command line with a command of nvme-cli's replaced by the one that does the same here.
  static func translated(_ arguments: [String]) -> [String] {
    // "nvmeof help smart-log", too.
    let place = arguments.first == "help" ? 1 : 0
    guard arguments.count > place, let known = logPages.first(where: { $0.command == arguments[place] }) else {
      return arguments
    }
    let rest = Array(arguments[(place + 1)...])
    return place == 1 ? ["help", "get-log"] + rest : ["get-log", "--log-id", known.page] + rest
  }

  /// What to say where the first argument is no subcommand; nil where it is one, or an option.
  static func problem(_ arguments: [String]) -> String? {
    let names = RootCommand.configuration.subcommands.map { $0.configuration.commandName ?? "" }
    let place = arguments.first == "help" ? 1 : 0
    guard arguments.count > place else { return nil }
    let word = arguments[place]
    if word.hasPrefix("-") || names.contains(word) { return nil }
    return "there is no subcommand \"\(word)\"; "
      + (advice[word] ?? "there are \(names.joined(separator: ", ")); see nvmeof --help")
  }
}
