internal import RingReactor

/// Whether what is to be sent waits a moment for what else is coming in.
///
/// Answers make room for new commands. Where many are outstanding, the next answers mostly lie in the socket already while
/// the first are being handled: to look for them before sending makes one send of several, for the host as for the
/// controller, which takes commands in larger numbers at a time. The controller must not run out of work meanwhile, so
/// that only a part of what is outstanding is ever held back, and never for longer than some looks take: nothing waits for
/// what may not come.
struct SendGathering {
  /// With fewer commands outstanding each is sent at once.
  static let smallestLoad = 16
  /// The controller keeps at least this share of the commands.
  static let keptShare = (numerator: 2, denominator: 3)
  /// So often in a row looking may find nothing before a send of bare commands, while the reactor spins: some 10 µs.
  /// A reactor that sleeps looks once, and before data, whose sending takes its time anyway, once is enough.
  static let mostVainLooks: UInt8 = 24
  /// A send of so many bytes carries data.
  static let largeSendByteCount = 16 * 1024

  /// Outstanding commands with which a reactor sleeps for every few answers.
  private static let someCommands = Reactor.manyAnswers..<2 * Reactor.manyAnswers

  /// With more commands outstanding a reactor sleeps though data is sent.
  static let mostCommandsSpunFor = 256

  private var looksLeft: UInt8 = 0
  private var sendsData = false

  /// Notes that something has been received. (For the path of every I/O.)
  mutating func noteReceive(isSpinning: Bool) { looksLeft = isSpinning && !sendsData ? Self.mostVainLooks : 1 }

  mutating func noteSend(byteCount: Int) { sendsData = byteCount >= Self.largeSendByteCount }

  /// Whether a reactor that sleeps, and has little else to send, leaves the ring out.
  ///
  /// The kernel takes bare commands faster than the ring does, and a send that the ring has completed ends the reactor's
  /// next sleep before it has begun. Just that look at what has come gathers answers where there are only some: with 32
  /// outstanding the ring takes 5 % less processor time, for 2 % fewer reads. Data may wait for room, and is better
  /// waited for by the ring.
  static func sendsWithoutRing(byteCount: Int, outstandingCount: Int) -> Bool {
    byteCount < largeSendByteCount && !someCommands.contains(outstandingCount)
  }

  /// As how many answers the reactor is to be told of: from ``Reactor/manyAnswers`` on it sleeps until some have come.
  ///
  /// Whoever sends data is busy with copying it, and finds answers as often as it looks: there is no time to sleep in,
  /// and going to sleep makes the controller wait for what it could have been sent. With very many commands outstanding
  /// the controller has enough, and answers that gather are cheaper.
  func expectedAnswerCount(outstandingCount: Int) -> Int {
    sendsData && outstandingCount <= Self.mostCommandsSpunFor
      ? min(outstandingCount, Reactor.manyAnswers - 1) : outstandingCount
  }

  /// Whether to look for input once more before the next send.
  ///
  /// - Parameters:
  ///   - unsentCount: commands that have something to send.
  ///   - outstandingCount: commands that have not been completed, those among them.
  mutating func shouldLook(unsentCount: Int, outstandingCount: Int) -> Bool {
    guard looksLeft > 0 else { return false }
    let (numerator, denominator) = Self.keptShare
    guard
      unsentCount > 0 && outstandingCount >= Self.smallestLoad
        && (outstandingCount - unsentCount) * denominator > outstandingCount * numerator
    else {
      looksLeft = 0
      return false
    }
    looksLeft -= 1
    return true
  }
}
