/// Runs one job on the calling thread: takes the next I/O from its load, submits, polls, and says what has come back. The
/// loop allocates nothing, takes no lock and calls through no closure.
struct JobRunner<Channel: BenchmarkChannel & ~Copyable, Clock: BenchmarkClock>: ~Copyable {
  /// No wait is longer, so that signals, snapshots and the end of the runtime are seen in time.
  private static var longestWait: UInt64 { 20_000_000 }
  /// After the end, I/O in flight gets so long to come back.
  private static var drainLimit: UInt64 { 60_000_000_000 }

  private var channel: Channel
  /// Apart from the runner, because a channel's tasks may go on with it while the runner polls the channel.
  private let load: UnsafeMutablePointer<JobLoad<Clock>>
  private let completions: UnsafeMutableBufferPointer<ChannelCompletion>

  init(setup: JobSetup, channel: consuming Channel, clock: Clock) {
    self.init(load: Self.makeLoad(setup, clock), channel: channel)
  }

  /// For a channel whose tasks take the next I/O themselves.
  ///
  /// - Parameter makeChannel: the channel has the load for as long as the runner has the channel.
  init(setup: JobSetup, clock: Clock, makeChannel: (UnsafeMutablePointer<JobLoad<Clock>>) -> Channel) {
    let load = Self.makeLoad(setup, clock)
    self.init(load: load, channel: makeChannel(load))
  }

  private init(load: UnsafeMutablePointer<JobLoad<Clock>>, channel: consuming Channel) {
    self.channel = channel
    self.load = load
    completions = .allocate(capacity: max(load.pointee.loop.depth, 1))
    completions.initialize(repeating: ChannelCompletion(token: 0, isSuccess: true))
  }

  private static func makeLoad(_ setup: JobSetup, _ clock: Clock) -> UnsafeMutablePointer<JobLoad<Clock>> {
    let load = UnsafeMutablePointer<JobLoad<Clock>>.allocate(capacity: 1)
    load.initialize(to: JobLoad(setup: setup, clock: clock))
    return load
  }

  deinit {
    load.deinitialize(count: 1)
    load.deallocate()
    completions.deallocate()
  }

  /// Runs the job to its end.
  mutating func run() -> JobOutcome {
    load.pointee.waitForStart(atMost: Self.longestWait)
    load.pointee.start()
    drive()
    load.pointee.endSearch()
    // As with fio, what was written has taken until it was flushed.
    if let end = load.pointee.beginFlush() {
      drive()
      load.pointee.end = end
    }
    load.pointee.closePhase()
    if load.pointee.beginFinalVerify() {
      drive()
      load.pointee.closePhase()
    }
    return load.pointee.outcome()
  }

  /// Submits and collects until the source is dry (or the job is to stop) and nothing is in flight.
  private mutating func drive() {
    var drainDeadline = UInt64.max
    while true {
      var now = load.pointee.clock.now()
      load.pointee.look(now)
      var submitted = 0
      var wakeAt = UInt64.max
      var channelIsBusy = false
      submitting: while true {
        switch load.pointee.next(&now) {
        case .submit(let command):
          switch channel.submit(command) {
          case .accepted:
            submitted += 1
            now = load.pointee.accepted(now)
          case .busy:
            channelIsBusy = true
          case .refused:
            // That took no time: the job looks at the clock, and gives the device its turn, before the next I/O.
            load.pointee.refused(channel.failureDescription())
            wakeAt = now
            break submitting
          }
          if channelIsBusy || load.pointee.isStopping { break submitting }
        case .notBefore(let time):
          wakeAt = time
          break submitting
        case .nothing:
          break submitting
        }
      }
      if submitted > 0 { load.pointee.statistics.submitBatches.recordBatch(submitted) }
      if load.pointee.inFlight == 0, load.pointee.prepared < 0 {
        if load.pointee.sourceIsDry { return }
        if wakeAt == UInt64.max, !channelIsBusy, load.pointee.hasPending == false { continue }
      }
      if load.pointee.isStopping {
        // The limit counts from when stopping began, not from the last completion: a slow trickle ends too.
        if drainDeadline == UInt64.max { drainDeadline = now &+ Self.drainLimit }
        if now >= drainDeadline {
          load.pointee.giveUpInFlight(afterSeconds: Self.drainLimit / 1_000_000_000)
          return
        }
      }
      let count = channel.poll(into: completions, waitNanoseconds: waitLength(now, wakeAt, channelIsBusy))
      if count > 0 {
        load.pointee.statistics.completeBatches.recordBatch(count)
        let after = load.pointee.clock.now()
        for index in 0..<count { load.pointee.complete(completions[index], after, channel.failureDescription()) }
      }
    }
  }

  @inline(__always)
  private func waitLength(_ now: UInt64, _ wakeAt: UInt64, _ channelIsBusy: Bool) -> UInt64 {
    var wait = channelIsBusy && load.pointee.inFlight == 0 ? 1_000_000 : Self.longestWait
    if wakeAt != UInt64.max {
      let until = wakeAt > now ? wakeAt - now : 0
      let spin = load.pointee.loop.spinBeforeStart
      wait = min(wait, until > spin ? until - spin : 0)
    }
    let end = load.pointee.end
    if end > now { wait = min(wait, end - now) }
    return wait
  }
}
