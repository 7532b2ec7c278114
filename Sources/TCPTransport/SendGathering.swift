/// Whether what is to be sent waits a moment for what else is coming in.
///
/// Answers make room for new commands. Where many are outstanding, the next answers mostly lie in the socket already while
/// the first are being handled: to look for them before sending makes one send of several, for the host as for the
/// controller, which takes commands in larger numbers at a time. The controller must not run out of work meanwhile, so
/// that only a part of what is outstanding is ever held back, and only for as long as looking finds something: nothing
/// waits for what may not come.
struct SendGathering {
  /// With fewer commands outstanding each is sent at once.
  static let smallestLoad = 16
  /// The controller keeps at least this share of the commands.
  static let keptShare = (numerator: 2, denominator: 3)

  private var mayLook = false

  /// Notes that something has been received. (For the path of every I/O.)
  mutating func noteReceive() { mayLook = true }

  /// Whether to receive once more before the next send.
  ///
  /// - Parameters:
  ///   - unsentCount: commands that have something to send.
  ///   - outstandingCount: commands that have not been completed, those among them.
  mutating func shouldLook(unsentCount: Int, outstandingCount: Int) -> Bool {
    guard mayLook else { return false }
    mayLook = false
    let (numerator, denominator) = Self.keptShare
    return unsentCount > 0 && outstandingCount >= Self.smallestLoad
      && (outstandingCount - unsentCount) * denominator > outstandingCount * numerator
  }
}
