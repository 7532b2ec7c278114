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

  /// Of a send without the ring: 47 commands with 4 KiB each, three of the segments that loopback cuts.
  ///
  /// As long as the kernel copies, answers and acknowledgements wait for the socket, and the controller for the end of what
  /// it could already work on. Three segments do not cost more than one send of all.
  static let mostVectorsAtOnce = 94

  private var looksLeft: UInt8 = 0
  private var sendsData = false

  /// Notes that something has been received. (For the path of every I/O.)
  mutating func noteReceive(isSpinning: Bool) { looksLeft = isSpinning && !sendsData ? Self.mostVainLooks : 1 }

  mutating func noteSend(byteCount: Int) { sendsData = byteCount >= Self.largeSendByteCount }

  /// Whether a reactor that sleeps, and has little else to send, leaves the ring out.
  ///
  /// The kernel takes commands faster than the ring does, data in pieces (``mostVectorsAtOnce``), and a send that the ring
  /// has completed ends the reactor's next sleep before it has begun. Just that look at what has come gathers answers where
  /// there are only some: with 32 commands outstanding the ring takes 5 % less processor time, for 2 % fewer reads.
  static func sendsWithoutRing(outstandingCount: Int) -> Bool { !someCommands.contains(outstandingCount) }

  /// As how many answers the reactor is to be told of: from ``Reactor/manyAnswers`` on it sleeps until some have come.
  ///
  /// Whoever sends data is busy with copying it, and finds answers as often as it looks: there is no time to sleep in,
  /// and going to sleep makes the controller wait for what it could have been sent.
  func expectedAnswerCount(outstandingCount: Int) -> Int {
    sendsData ? min(outstandingCount, Reactor.manyAnswers - 1) : outstandingCount
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
