internal import NVMeProtocol

/// The steps from Connect to ready, and those of a shutdown.
extension ControllerStateMachine {
  /// How often CSTS is looked at while it is waited for.
  private static let pollNanoseconds: UInt64 = 10_000_000

  mutating func stepCompleted(
    _ name: String, _ completion: CompletionQueueEntry, _ data: [UInt8], _ now: UInt64
  ) {
    let status = completion.status
    if !status.isSuccess && state != .configuringEvents && state != .settingQueueCount
      && state != .identifyingCommandSet && state != .settingHostBehavior
      && state != .requestingShutdown && state != .waitingForShutdown
    {
      fail(.refused(step: name, status))
      return
    }
    switch state {
    case .readingCapabilities:
      capabilities = ControllerCapabilities(rawValue: completion.result)
      state = .readingVersion
      submitStep("reading VS", .propertyGet(.version), now)
    case .readingVersion:
      version = ControllerVersion(rawValue: completion.dword0)
      state = .enabling
      submitStep(
        "enabling the controller",
        .propertySet(.controllerConfiguration, value: UInt64(configurationRegister(shutdown: .none).rawValue)), now)
    case .enabling:
      state = .waitingForReady
      // CAP.TO is in units of 500 ms; 0 gives the controller half a second all the same.
      stepDeadlineNanoseconds = now &+ readyTimeoutMilliseconds * 1_000_000
      submitStep("reading CSTS", .propertyGet(.controllerStatus), now)
    case .waitingForReady:
      let register = ControllerStatus(rawValue: completion.dword0)
      if register.fatal {
        fail(.fatalStatus)
      } else if register.ready {
        stepDeadlineNanoseconds = .max
        state = .identifying
        submitStep("identifying the controller", .identify(.controller), now, dataInByteCount: 4096)
      } else {
        pollDeadlineNanoseconds = now &+ Self.pollNanoseconds
      }
    case .identifying:
      identified(data, now)
    case .identifyingCommandSet:
      // Without it there are no limits to know of, and nothing else is missing.
      if status.isSuccess { commandSetLimits = try? NVMCommandSetController(decoding: data.span.bytes) }
      setHostBehavior(now)
    case .settingHostBehavior:
      setQueueCount(now)
    case .settingQueueCount:
      queueCountSet(status, completion.dword0, now)
    case .configuringEvents:
      eventsConfigured(status, now)
    case .requestingShutdown:
      guard status.isSuccess else {
        closeQueues()
        return
      }
      state = .waitingForShutdown
      submitStep("reading CSTS", .propertyGet(.controllerStatus), now)
    case .waitingForShutdown:
      isShutDown = status.isSuccess && ControllerStatus(rawValue: completion.dword0).shutdown == .complete
      if !status.isSuccess || isShutDown {
        closeQueues()
      } else {
        pollDeadlineNanoseconds = now &+ Self.pollNanoseconds
      }
    default:
      break
    }
  }

  var readyTimeoutMilliseconds: UInt64 { UInt64(max(500, capabilities.timeoutMilliseconds)) }

  /// CC as we set it: enabled, IOSQES 6 and IOCQES 4 (entries of 64 and 16 bytes, as Fabrics demands).
  func configurationRegister(
    shutdown: ControllerConfigurationRegister.ShutdownNotification
  ) -> ControllerConfigurationRegister {
    ControllerConfigurationRegister(
      enable: true, commandSet: capabilities.supportsIOCommandSets ? .allSupported : .nvm,
      pageBytes: capabilities.minimumPageBytes, shutdown: shutdown)
  }

  private mutating func identified(_ data: [UInt8], _ now: UInt64) {
    let identify: IdentifyController
    do throws(DecodingError) {
      identify = try IdentifyController(decoding: data.span.bytes)
    } catch {
      fail(.malformed(error))
      return
    }
    identification = identify
    if let problem = contradiction(identify) {
      fail(.unusable(problem))
      return
    }
    if let problem = unsuitableKeepAlive(identify) {
      fail(.unusable(problem))
      return
    }
    if configuration.keepAliveTimeoutMilliseconds > 0 {
      isKeepAliveRunning = true
      nextKeepAliveNanoseconds = now &+ keepAliveIntervalNanoseconds
    }
    if configuration.isDiscovery {
      configureEvents(now)
      return
    }
    // NVMe/TCP 1.1, section 3.3: in-capsule data begins right behind the entry.
    if identify.inCapsuleDataOffset != 0 {
      fail(.unusable("in-capsule data offset (ICDOFF) is \(identify.inCapsuleDataOffset), NVMe/TCP has only 0"))
      return
    }
    if identify.ioCommandCapsuleSize < 4 || identify.ioResponseCapsuleSize < 1 {
      fail(
        .unusable(
          "capsule sizes IOCCSZ \(identify.ioCommandCapsuleSize) and IORCSZ "
            + "\(identify.ioResponseCapsuleSize) are smaller than a queue entry"))
      return
    }
    if let problem = unsuitableQueues(identify) {
      fail(.unusable(problem))
      return
    }
    identifyCommandSet(identify, now)
  }

  /// CNS 06h tells how long the commands may be that move no data, to which MDTS does not apply (NVM Command Set 1.1,
  /// section 4.1.5). It came with version 2.0.
  private mutating func identifyCommandSet(_ identify: IdentifyController, _ now: UInt64) {
    let limited: OptionalIOCommands = [.datasetManagement, .writeZeroes, .verify]
    let hasLimited = !identify.optionalIOCommands.isDisjoint(with: limited)
    guard version >= ControllerVersion(major: 2, minor: 0), hasLimited else {
      setHostBehavior(now)
      return
    }
    state = .identifyingCommandSet
    submitStep("identifying the command set", .identify(.commandSetController), now, dataInByteCount: 4096)
  }

  /// A controller that has retry delays (CRDT1 to CRDT3) asks for them, and says Command Interrupted, only when the host has
  /// said that it understands (NVMe Base 2.1, Host Behavior Support, ACRE). It may refuse.
  private mutating func setHostBehavior(_ now: UInt64) {
    guard let identification, identification.commandRetryDelayTimes.contains(where: { $0 > 0 }) else {
      setQueueCount(now)
      return
    }
    var behavior = HostBehaviorSupport()
    behavior.advancedCommandRetryEnable = 1
    state = .settingHostBehavior
    submitStep(
      "setting the host's behavior", .setFeatures(.hostBehaviorSupport, value: 0), now, dataOut: behavior.encode())
  }

  private mutating func setQueueCount(_ now: UInt64) {
    state = .settingQueueCount
    let count = configuration.boundedQueueCount
    let wanted = NumberOfQueues(submissionQueues: count, completionQueues: count)
    submitStep("setting the number of queues", .setFeatures(.numberOfQueues, value: wanted.rawValue), now)
  }

  /// What the controller says of itself against what we were told before.
  private func contradiction(_ identify: IdentifyController) -> String? {
    if identify.controllerIdentifier != controllerIdentifier {
      return "it connected as controller \(controllerIdentifier) but identifies as \(identify.controllerIdentifier)"
    }
    if !configuration.isDiscovery && identify.kind == .discovery {
      return "it is a discovery controller; discover its subsystems and connect to one of them"
    }
    // Linux says nothing (0) of some of its discovery controllers.
    if configuration.isDiscovery && identify.kind == .io {
      return "it is an I/O controller, not a discovery controller; connect to it as to a subsystem"
    }
    return nil
  }

  /// Keep alive is mandatory over Fabrics. A controller that has none never notices that its host is gone: no wait before a
  /// lost write is sent again would be long enough (``CommunicationLossRule``). Discovery controllers need not fill KAS in.
  private func unsuitableKeepAlive(_ identify: IdentifyController) -> String? {
    guard configuration.keepAliveTimeoutMilliseconds > 0, !configuration.isDiscovery, identify.keepAliveSupport == 0
    else { return nil }
    return "it does not support keep alive (KAS is 0); to do without, connect with a keep alive time-out of 0"
  }

  /// Fabrics have entries of 64 and 16 bytes and SGLs, and nothing else.
  private func unsuitableQueues(_ identify: IdentifyController) -> String? {
    func hexadecimal(_ value: some BinaryInteger) -> String { String(value, radix: 16, uppercase: true) + "h" }
    if !identify.takes64ByteSubmissionQueueEntries {
      return
        "it does not take submission queue entries of 64 bytes (SQES \(hexadecimal(identify.submissionQueueEntrySize)))"
    }
    if !identify.writes16ByteCompletionQueueEntries {
      return
        "it does not write completion queue entries of 16 bytes (CQES \(hexadecimal(identify.completionQueueEntrySize)))"
    }
    if !identify.supportsSGLs {
      return "it does not support SGLs (SGLS \(hexadecimal(identify.sglSupport))), which Fabrics cannot do without"
    }
    return nil
  }

  private mutating func queueCountSet(_ status: StatusField, _ granted: UInt32, _ now: UInt64) {
    guard status.isSuccess else {
      fail(.refused(step: "setting the number of queues", status))
      return
    }
    queueCount = min(configuration.boundedQueueCount, NumberOfQueues(rawValue: granted).pairs)
    // One entry of a queue always stays empty (NVMe Base 2.1, section 3.3.1).
    let entries = min(min(max(configuration.queueDepth, 1), 4095) + 1, capabilities.maximumQueueEntries)
    queueDepth = entries - 1
    if let maximum = identification?.maximumOutstandingCommands, maximum > 0 {
      queueDepth = min(queueDepth, Int(maximum))
    }
    guard queueDepth >= 1 else {
      fail(.unusable("its queues hold \(entries) entries (CAP.MQES), at least 2 are needed"))
      return
    }
    configureEvents(now)
  }

  mutating func connectIOQueues() {
    state = .connectingIOQueues
    for identifier in 1...UInt16(queueCount) {
      actions.append(
        .connectQueue(
          identifier: identifier, entries: UInt16(queueDepth + 1), controllerIdentifier: controllerIdentifier))
    }
  }

  mutating func becomeReady() {
    state = .ready
    actions.append(.ready)
  }
}
