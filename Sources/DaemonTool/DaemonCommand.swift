import ArgumentParser
import BlockDevice
import Daemon
import Glibc
import Logging
import NBDServer
import ToolOutput
import ToolSupport

/// `nvmeofd`.
@main
struct DaemonCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nvmeofd",
    abstract: "Attach NVMe/TCP namespaces and serve them as block devices, driven by SPDK's JSON-RPC.",
    discussion: """
      Clients speak JSON-RPC over a Unix socket that only the daemon's user can open: the `spdk-rpc` of PyPI's package \
      spdk, or any other client of SPDK's bdev_nvme methods.

      SIGTERM and SIGINT let go of exports and controllers in order and end the daemon (twice: at once); SIGHUP reads \
      the configuration file again and adds what is missing, and the files of TLS, which count for clients from then on.

      EXAMPLE: from an attach to a first read
        nvmeof target --port 4420 --namespace memory:64M &        # something to attach to
        nvmeofd &
        pip install spdk
        spdk-rpc bdev_nvme_attach_controller -b Nvme0 -t tcp -f ipv4 -a 127.0.0.1 -s 4420 \\
          -n nqn.2014-08.org.nvmexpress:uuid:5e1f0000-0000-4000-8000-0000656d6264
        spdk-rpc bdev_get_bdevs -b Nvme0n1
        spdk-rpc nbd_start_disk Nvme0n1 /run/user/1000/nvme0.sock   # a Unix socket is served, no kernel module
        qemu-img dd if=nbd+unix:///Nvme0n1?socket=/run/user/1000/nvme0.sock of=first.bin bs=4096 count=1
        spdk-rpc bdev_get_iostat --names Nvme0n1

      EXAMPLE: devices that are there again after a restart
        nvmeofd --config /var/lib/nvmeofd/config.json --keep-config

      EXAMPLE: devices for other machines, which prove who they are
        nvmeofd --nbd-port 10809 --nbd-address 192.0.2.7 \\
          --tls-certificate server.pem --tls-key key.pem --tls-client-ca ca.pem
        # After nbd_export_start, clients find it at nbds://192.0.2.7/Nvme0n1?tls-certificates=DIRECTORY
      """,
    version: "nvmeofd \(PackageVersion.current)")

  @Option(
    name: [.customLong("rpc-socket"), .customShort("r")],
    help: ArgumentHelp("Where JSON-RPC is served", valueName: "path"))
  var rpcSocket = DaemonOptions.defaultRPCSocketPath

  @Option(help: ArgumentHelp("Threads for I/O, 1 to 64", valueName: "count"))
  var reactors = 1

  @Option(
    name: [.customLong("config"), .customShort("c")],
    help: ArgumentHelp("A configuration to start with, as save_config writes it", valueName: "file"))
  var config: String?

  @Flag(help: "Write the configuration file anew after each change, so that a restart brings the same devices")
  var keepConfig = false

  @Flag(help: "Wait for framework_start_init before devices can be attached")
  var waitForRpc = false

  @Option(help: ArgumentHelp("Serve metrics for Prometheus at http://127.0.0.1:PORT/metrics", valueName: "port"))
  var metricsPort: UInt16?

  @Option(
    name: .customLong("nbd-socket"),
    help: ArgumentHelp("Serve exports (nbd_export_start) over NBD at this Unix socket", valueName: "path"))
  var nbdSocket: String?

  @Option(
    name: .customLong("nbd-port"),
    help: ArgumentHelp("Serve exports over NBD at this port (NBD's own is 10809)", valueName: "port"))
  var nbdPort: UInt16?

  @Option(
    name: .customLong("nbd-address"),
    help: ArgumentHelp("The numeric address of that port (default: 127.0.0.1)", valueName: "address"))
  var nbdAddress: String?

  @Option(name: .customLong("nbd-memory"), help: ArgumentHelp(NBDMemoryOption.help, valueName: "size"))
  var nbdMemory: ByteCount?

  @OptionGroup(title: "TLS at --nbd-socket and --nbd-port") var security: NBDSecurityOptions

  @Option(
    name: .customLong("hostnqn"),
    help: ArgumentHelp(
      "The host's NQN where a client gives none (default: /etc/nvme/hostnqn, or one kept)", valueName: "nqn"))
  var hostNQN: String?

  @Option(
    help: ArgumentHelp("Log lines on standard error: text or json", valueName: "format"),
    transform: { text throws in
      guard let format = DaemonLog.Format(rawValue: text) else {
        throw ValidationError("'\(text)' is not text or json")
      }
      return format
    })
  var logFormat = DaemonLog.Format.text

  @Option(
    help: ArgumentHelp("What is logged on standard error: ERROR, WARNING, NOTICE, INFO or DEBUG", valueName: "level"),
    transform: { text throws in
      guard let level = LogLevel(word: text) else {
        throw ValidationError("'\(text)' is not one of ERROR, WARNING, NOTICE, INFO, DEBUG")
      }
      return level
    })
  var printLevel = LogLevel.info

  @Flag(help: "Log to the system's log as well, up to the level that log_set_level sets")
  var syslog = false

  /// As the protocol's own, but help that cannot be written is no success.
  static func main() async {
    StandardDescriptors.occupy()
    do {
      let command = try parse()
      try await command.run()
    } catch {
      end(with: error, usage: EX_USAGE, unwritable: 1)
    }
  }

  func validate() throws {
    guard (1...64).contains(reactors) else { throw ValidationError("--reactors \(reactors): must be 1 to 64") }
    if nbdAddress != nil && nbdPort == nil { throw ValidationError("--nbd-address needs --nbd-port PORT") }
    _ = try nbdBudget
    if keepConfig && config == nil { throw ValidationError("--keep-config needs --config FILE") }
  }

  private var nbdBudget: NBDBudgetConfiguration {
    get throws { try NBDMemoryOption.budget(nbdMemory, option: "--nbd-memory") }
  }

  func run() async throws {
    DescriptorLimit.raise()
    let log = DaemonLog(format: logFormat, usesSystemLog: syslog)
    log.printLevel = printLevel
    let logger = log.logger(.rpc)
    // From here on a signal is an event.
    let signals = Signals.events()
    let daemon: DaemonProcess
    do {
      // A service has a directory of its own for what it keeps (systemd.exec(5), StateDirectory=).
      let file = getenv("STATE_DIRECTORY").map { String(cString: $0) + "/host" }
      let identity = try HostIdentity.resolve(hostNQN: hostNQN, file: file)
      daemon = try DaemonProcess(
        options: DaemonOptions(
          rpcSocketPath: rpcSocket, reactorCount: reactors, configurationPath: config, keepsConfiguration: keepConfig,
          waitsForRPC: waitForRpc, identity: identity, metricsPort: metricsPort,
          nbdSocketPath: nbdSocket, nbdPort: nbdPort, nbdAddress: nbdAddress ?? "127.0.0.1",
          nbdSecurity: security.options, nbdBudget: try nbdBudget),
        log: log)
    } catch {
      logger.error("the daemon cannot start", metadata: ["error": "\(error)"])
      throw ExitCode(1)
    }
    // Beside the signals: one may come while a configuration with many devices is worked through.
    let start = Task {
      do {
        try await daemon.start()
        SystemdNotifier.tell(.ready)
      } catch {
        logger.error("the daemon cannot start", metadata: ["error": "\(error)"])
        // Nothing is left behind: no socket, no lock.
        await daemon.stop()
        Glibc.exit(1)
      }
    }
    // One after the other, behind the start; beside the signals as well, as targets may take their time to answer.
    var latest = start
    for await number in signals {
      switch number {
      case SIGHUP:
        SystemdNotifier.tell(.reloading)
        latest = Task { [latest] in
          await latest.value
          await daemon.reload()
          SystemdNotifier.tell(.ready)
        }
      case SIGINT, SIGTERM:
        logger.notice("ending on a signal", metadata: ["signal": "\(number)"])
        SystemdNotifier.tell(.stopping)
        start.cancel()
        await daemon.stop()
        return
      default: break
      }
    }
  }
}
