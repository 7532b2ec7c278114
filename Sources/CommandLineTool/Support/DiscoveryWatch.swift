import BlockDevice

/// `nvmeof discover --persistent`: shows what discovery services offer, and what changes, until it is interrupted.
enum DiscoveryWatch {
  /// - Throws: ``ToolError`` when the first service cannot be asked at the start.
  static func run(
    _ target: TargetIdentifier, host: HostOptions, followsReferrals: Bool,
    show: @escaping @Sendable (DiscoveryEvent) -> Void
  ) async throws(ToolError) {
    let hostConfiguration = try host.configuration(for: target)
    // Digests and the like are good or bad for all services alike.
    _ = try host.transport(for: target)
    let thread: ReactorThread
    do throws(RingError) { thread = try ReactorThread(name: "nvmeof") } catch { throw .local("\(error)") }
    var configuration = PersistentDiscoveryConfiguration()
    if let seconds = host.keepAliveSeconds {
      guard seconds > 0 else {
        throw .usage("--keep-alive-tmo 0 makes no persistent connection; give 1 or more seconds")
      }
      configuration.keepAliveTimeoutMilliseconds = seconds * 1000
    }
    configuration.connectTimeoutMilliseconds = hostConfiguration.connectTimeoutMilliseconds
    if !followsReferrals { configuration.limits.depth = 0 }
    var defaults = host.transportOptions(for: target)
    (defaults.headerDigest, defaults.dataDigest) = (host.headerDigest, host.dataDigest)
    let options = defaults
    let discovery = PersistentDiscovery(
      target: target,
      identity: HostIdentity(
        hostNQN: hostConfiguration.hostNQN, hostIdentifier: hostConfiguration.hostIdentifier),
      configuration: configuration, home: thread.handle
    ) { target in
      var options = options
      options.headerDigest = target.headerDigest || options.headerDigest
      options.dataDigest = target.dataDigest || options.dataDigest
      return TCPTransport(host: target.host, port: target.port, options: options)
    }
    let interrupts = Interrupts.first()
    let events = discovery.events()
    let printer = Task { for await event in events { show(event) } }
    discovery.start()
    var failure: DiscoveryError?
    do throws(DiscoveryError) { try await discovery.ready() } catch { failure = error }
    if failure == nil { for await _ in interrupts { break } }
    // What is detached by our own end is no news.
    printer.cancel()
    _ = await printer.value
    await discovery.stop()
    thread.stop()
    if let failure { throw ToolError(failure, target) }
  }
}
