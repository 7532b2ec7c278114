import ArgumentParser
import BlockDevice

/// `nvmeof list`.
struct ListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the namespaces of a subsystem, or of all that a discovery service offers.",
    discussion: """
      With a subsystem's NQN its namespaces are listed; without one, the discovery service is asked, and each \
      subsystem it offers over TCP is looked into.

      EXAMPLES
        nvmeof list -a 192.0.2.1 -s 4420
        nvmeof list nvme+tcp://192.0.2.1:4420/nqn.2014-08.org.example:disk
        nvmeof list -a 192.0.2.1 -o json | jq -r '.Devices[].DevicePath'

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Flag(
    help: "Connect to the discovery service's own address in place of those it names (behind NAT, a forwarded port)")
  var sameAddress = false

  func run() async throws {
    let target = try address.resolve(.subsystemOrDiscovery)
    if output.effectiveFormat == .binary { throw ToolError.usage("list has no binary output") }
    var failure: ToolError?
    let rows = try await Session.run(host: host) { session in
      guard target.isDiscovery else { return try await Self.rows(of: target, session: &session) }
      let discovery: DiscoverySurvey.Result
      do throws(ToolError) {
        discovery = try await DiscoverySurvey.run(target, followsReferrals: true, session: &session)
      } catch { throw address.explain(error, target) }
      var rows: [NamespaceListReport.Row] = []
      var known: Set<String> = []
      for var found in discovery.records.filter(\.isConnectable).compactMap(\.target) {
        if sameAddress { (found.host, found.port) = (target.host, target.port) }
        guard known.insert(found.uri).inserted else { continue }
        do throws(ToolError) { rows += try await Self.rows(of: found, session: &session) } catch {
          Console.note("nvmeof: \(found.uri): \(error)")
          failure = error
        }
      }
      return rows
    }
    if output.format == .json {
      Console.print(NamespaceListReport.json(rows))
    } else {
      Console.print(NamespaceListReport.text(rows))
    }
    if let failure { throw ToolError(failure.status, "") }
  }

  private static func rows(
    of target: TargetIdentifier, session: inout Session
  ) async throws(ToolError) -> [NamespaceListReport.Row] {
    let controller = try await session.connect(target)
    let snapshot = controller.snapshot
    await session.disconnect(controller)
    return NamespaceListReport.rows(snapshot, target: target)
  }
}
