import ArgumentParser
import BlockDevice
import JSON

/// `nvmeof discover`.
struct DiscoverCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discover",
    abstract: "Show what a discovery service offers.",
    discussion: """
      Referrals to other discovery services are followed, each service is asked once. Entries of other transports \
      than TCP are shown, too.

      With --persistent, the services stay connected, are connected again when they are lost, and every change of what \
      they offer is shown as it comes, with -o json as one JSON document a line, until SIGINT or SIGTERM. What a service \
      offered stays while it is lost; only a log that has been read takes something away.

      EXAMPLES
        nvmeof discover -t tcp -a 192.0.2.1 -s 8009
        nvmeof discover nvme+tcp://192.0.2.1:4420
        nvmeof discover -a 192.0.2.1 -o json | jq -r '.records[].uri'
        nvmeof discover -a 192.0.2.1 --persistent -o json | jq -c 'select(.event == "attach").uris[]'

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  @Flag(help: "Do not ask the discovery services that this one refers to")
  var noReferrals = false

  @Flag(help: "Stay connected and show what changes (keep alive timeout 30 s unless -k says something else)")
  var persistent = false

  func run() async throws {
    let target = try address.resolve(.subsystemOrDiscovery)
    if output.effectiveFormat == .binary { throw ToolError.usage("discover has no binary output") }
    if persistent {
      let isJSON = output.format == .json
      do throws(ToolError) {
        try await DiscoveryWatch.run(target, host: host, followsReferrals: !noReferrals) { event in
          if isJSON {
            Console.print(DiscoveryEventReport.json(event), style: .line)
          } else {
            Console.print(DiscoveryEventReport.text(event))
          }
        }
      } catch { throw address.explain(error, target) }
      return
    }
    let result = try await Session.run(host: host) { session in
      do throws(ToolError) {
        return try await DiscoverySurvey.run(target, followsReferrals: !noReferrals, session: &session)
      } catch { throw address.explain(error, target) }
    }
    if output.format == .json {
      Console.print(DiscoveryReport.json(result))
    } else {
      Console.print(DiscoveryReport.text(result, isHuman: output.isHuman))
    }
    for failure in result.failures {
      Console.note("nvmeof: referral to \(failure.target.hostAndPort) could not be followed: \(failure.description)")
    }
    if result.skippedReferralCount > 0 {
      Console.note("nvmeof: \(result.skippedReferralCount) referrals were not followed: too many, or too deep")
    }
    if !result.failures.isEmpty { throw ToolError(.connectionFailed, "") }
  }
}
