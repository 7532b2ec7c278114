import ArgumentParser
import BlockDevice

/// `nvmeof show-regs`.
struct ShowRegistersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show-regs",
    abstract: "Show a controller's properties, which on PCI Express are registers.",
    discussion: """
      CAP, VS, CC and CSTS, and NSSR and CRTO of controllers that answer for them.

      EXAMPLES
        nvmeof show-regs nvme+tcp://192.0.2.1/NQN
        nvmeof show-regs -H -a 192.0.2.1 -n NQN
        nvmeof show-regs nvme+tcp://192.0.2.1/NQN -o json | jq .csts

      """ + ExitStatus.help)

  @OptionGroup(title: "Target") var address: AddressOptions
  @OptionGroup(title: "Host") var host: HostOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func validate() throws {
    if output.effectiveFormat == .binary { throw ValidationError("show-regs has no binary output") }
  }

  func run() async throws {
    let target = try address.resolve(.subsystem)
    let registers = try await Session.run(host: host, target: target) { controller in
      var values: [(RegisterReport.Register, UInt64)] = []
      for register in RegisterReport.Register.all {
        do throws(ToolError) {
          let reply = try await controller.require(
            "Property Get (\(register.name.uppercased()))", .propertyGet(register.property))
          values.append((register, UInt64(reply.completion.dword1) << 32 | UInt64(reply.completion.dword0)))
        } catch {
          // Fabrics have few properties: who does not know one says so.
          if !register.isOptional || error.status != .deviceError { throw error }
        }
      }
      return values
    }
    output.show(RegisterReport.make(registers), raw: [])
  }
}
