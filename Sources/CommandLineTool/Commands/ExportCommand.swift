import ArgumentParser
import BlockDevice
import BlockExport
import Glibc
import JSON
import Logging
import NBDProtocol
import NBDServer
import TLS
import ToolSupport

/// `nvmeof export`.
struct ExportCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Serve namespaces to NBD clients: qemu, nbdcopy, fio, the kernel's /dev/nbdX.",
    discussion: """
      DEVICE is a target with its namespace (nvme+tcp://HOST:PORT/NQN?nsid=1, or a transport identifier), memory:SIZE \
      or memory:SIZE:BLOCKSIZE, or a file (file:PATH, file:PATH:BLOCKSIZE, file:PATH:SIZE:BLOCKSIZE to make one, or \
      use one of that size). Sizes take K, M, G, T for powers of 1024. It is served until SIGINT or SIGTERM.

      The first --name is the first device's, the second the second's, and so on; a device without one is called as \
      it is in messages. Clients that ask for no name get the first device, and no other one when that has gone. A \
      namespace whose connection is lost is connected again, and requests wait for it.

      EXAMPLES
        nvmeof export 'nvme+tcp://192.0.2.1/NQN?nsid=1' --socket /run/disk.sock
        nvmeof export memory:1G --port 10809 --name scratch
        nvmeof export file:a.img file:b.img --name a --name b --read-only --socket /tmp/images.sock
        nvmeof export memory:64M --port 0 -o json | head -n 1
        nvmeof export disk.img --address 192.0.2.7 --tls-certificate server.pem --tls-key key.pem --tls-client-ca ca.pem

      AND THEN
        nbdinfo 'nbd+unix:///?socket=/run/disk.sock'
        qemu-img info 'nbd+unix:///?socket=/run/disk.sock'
        nbdcopy disk.img nbd://localhost/scratch
        nbdcopy 'nbds://192.0.2.7/disk.img?tls-certificates=/etc/pki' copy.img    # ca-cert.pem, client-cert.pem, client-key.pem
        qemu-system-x86_64 -drive file=nbd:unix:/run/disk.sock,format=raw,if=virtio …
        fio --name=job --ioengine=nbd --uri='nbd+unix:///?socket=/run/disk.sock' --rw=randread --bs=4k --iodepth=64 \\
          --size=1g

      """ + ExitStatus.help)

  @Argument(help: ArgumentHelp("What to serve; may be repeated", valueName: "device"))
  var devices: [String]

  @Option(
    name: .customLong("name"), parsing: .singleValue,
    help: ArgumentHelp("An export's name, in the order of the devices; may be repeated", valueName: "name"))
  var names: [String] = []

  @Option(
    name: .customLong("description"), parsing: .singleValue,
    help: ArgumentHelp("An export's description, in the order of the devices; may be repeated", valueName: "text"))
  var descriptions: [String] = []

  @Flag(name: [.customShort("r"), .customLong("read-only")], help: "Clients may not change anything")
  var readOnly = false

  @Option(
    name: [.customShort("U"), .customLong("socket")],
    help: ArgumentHelp("A Unix-domain socket to listen at, made with mode 0600", valueName: "path"))
  var socket: String?

  @Option(help: "A numeric address to listen at (default 127.0.0.1, where no --socket is given)")
  var address: String?

  @Option(
    help: ArgumentHelp(
      "A TCP port to listen at, 0: any that is free (default \(NBDAddress.defaultPort))",
      valueName: "port"))
  var port: UInt16?

  @Option(help: ArgumentHelp(NBDMemoryOption.help, valueName: "size"))
  var memory: ByteCount?

  @Option(help: ArgumentHelp("Threads that serve; connections are spread over them", valueName: "count"))
  var reactors = 1

  @Option(
    help: ArgumentHelp(
      "How they wait for work: adaptive, event-driven (least processor time) or busy-polling (least latency)",
      valueName: "policy"))
  var wait = ExportWait.adaptive

  @Option(
    name: [.customShort("o"), .customLong("output-format"), .customLong("output")],
    help: ArgumentHelp("normal, or json: one line that tells what is served where", valueName: "format"))
  var format = OutputFormat.normal

  @Flag(name: .shortAndLong, help: "Tell on standard error which clients come and go, and what is refused them")
  var verbose = false

  @OptionGroup(title: "TLS") var security: NBDSecurityOptions
  @OptionGroup(title: "Host") var host: HostOptions

  func validate() throws {
    if format == .binary { throw ValidationError("export has no binary output") }
    if !(1...64).contains(reactors) { throw ValidationError("--reactors is 1 to 64, not \(reactors)") }
    _ = try budget
    if names.count > devices.count { throw ValidationError("there are more --name than devices") }
    if descriptions.count > devices.count { throw ValidationError("there are more --description than devices") }
    if let socket, SocketAddress(unixPath: socket) == nil {
      throw ValidationError(
        "--socket is a path of 1 to \(SocketAddress.maximumPathByteCount) bytes, not \"\(socket)\"")
    }
    if let address, SocketAddress(numericHost: address, port: 0) == nil {
      throw ValidationError("--address is a numeric IPv4 or IPv6 address, not \"\(address)\"")
    }
  }

  private var budget: NBDBudgetConfiguration {
    get throws { try NBDMemoryOption.budget(memory, option: "--memory") }
  }

  var listenAddresses: [SocketAddress] {
    var result: [SocketAddress] = []
    if let socket, let address = SocketAddress(unixPath: socket) { result.append(address) }
    if port != nil || address != nil || socket == nil,
      let address = SocketAddress(numericHost: address ?? "127.0.0.1", port: port ?? NBDAddress.defaultPort)
    {
      result.append(address)
    }
    return result
  }

  func run() async throws {
    let places = try devices.map { text throws(ToolError) in try ExportPlace(text) }
    let security = try loadSecurity()
    var opened = try ExportedDevices(reactorCount: reactors, waitPolicy: wait.policy, host: host)
    do {
      try await serve(places, security, &opened)
    } catch {
      await opened.close()
      throw error
    }
    await opened.close()
  }

  /// Reads the files of TLS, and tells of a certificate that clients will not take.
  private func loadSecurity() throws(ToolError) -> NBDServerSecurity {
    do throws(TLSConfigurationError) {
      let security = try security.options.load()
      if let complaint = security.context?.certificate?.complaint { Console.note("nvmeof: \(complaint)") }
      return security
    } catch { throw .local("TLS: \(error)") }
  }

  private func serve(
    _ places: [ExportPlace], _ security: NBDServerSecurity, _ opened: inout ExportedDevices
  ) async throws {
    let table = ExportTable()
    for (index, place) in places.enumerated() {
      let device = try await opened.open(place, isReadOnly: readOnly)
      var configuration = ExportConfiguration(name: index < names.count ? names[index] : device.name)
      if index < descriptions.count { configuration.description = descriptions[index] }
      configuration.isReadOnly = readOnly
      do throws(ExportError) { try table.add(Export(device: device, configuration: configuration)) } catch {
        let advice = error.field == "name" ? "; --name gives it another" : ""
        throw ToolError.usage("\(devices[index]): \(error)\(advice)")
      }
    }
    var logger = Logger(label: "nbd") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = verbose ? .debug : .warning
    let server = NBDServer(
      exports: table, budget: NBDBudget(reactors: opened.reactors, configuration: try budget), security: security,
      logger: logger)
    let signals = Interrupts.first()
    var listening: [SocketAddress] = []
    for address in listenAddresses {
      do { listening.append(try await server.listen(on: address)) } catch {
        await server.stop()
        throw ToolError.local("\(error)")
      }
    }
    show(table.exports, listening, security.policy)
    // An export that ends leaves the others; without any there is nothing to do.
    let (ends, ended) = AsyncStream<Void>.makeStream()
    let isTold = format == .normal
    _ = table.addObserver { event in
      if case .removed(let export, let reason) = event {
        if isTold, reason != .shutdown { Console.note("nvmeof: export \"\(export.name)\" has ended: \(reason)") }
        if table.exports.isEmpty { ended.finish() }
      }
    }
    // The last one may have gone before anybody listened.
    if table.exports.isEmpty { ended.finish() }
    let interruption = Task {
      for await _ in signals {}
      ended.finish()
    }
    for await _ in ends {}
    interruption.cancel()
    let areAllGone = table.exports.isEmpty
    await end(server, table, &opened)
    if areAllGone { throw ToolError(.connectionFailed, "all devices are gone") }
  }

  /// Clients first. What is left of them then are requests that a target does not answer: they end with its controller.
  private func end(_ server: NBDServer, _ table: ExportTable, _ opened: inout ExportedDevices) async {
    let patience = server.configuration.endPatience
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await server.stop()
        await table.removeAll(reason: .shutdown)
      }
      group.addTask { try? await Task.sleep(for: patience) }
      await group.next()
      group.cancelAll()
      await opened.disconnect()
    }
  }

  private func show(_ exports: [Export], _ addresses: [SocketAddress], _ policy: NBDTLSPolicy) {
    func uri(_ address: SocketAddress, _ export: Export) -> String {
      NBDAddress.uri(address, exportName: export.name, isSecure: policy != .none)
    }
    if format == .json {
      // One line, so that a script can read it while exports are served.
      let document: JSONValue = [
        "addresses": .array(addresses.map { .string("\($0)") }), "tls": .string(policy.rawValue),
        "exports": .array(
          exports.map { export in
            let limits = export.limits
            return [
              "name": .string(export.name), "device": .string(export.device.name),
              "bytes": .integer(limits.byteCount), "block_size": .integer(limits.blockByteCount),
              "read_only": .bool(limits.isReadOnly),
              "uris": .array(addresses.map { .string(uri($0, export)) }),
            ]
          }),
      ]
      Console.print(document, style: .line)
      return
    }
    for export in exports {
      let limits = export.limits
      Console.print(
        "\(export.device.name): \(ByteText.binary(limits.byteCount)), blocks of \(limits.blockByteCount)"
          + (limits.isReadOnly ? ", read-only" : ""))
      for address in addresses { Console.print("  \(uri(address, export))") }
    }
    Console.print("Ctrl-C ends it")
  }
}
