import ArgumentParser
import Daemon

@main
struct DaemonTool: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "nvmeofd")
}
