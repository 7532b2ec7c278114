import Glibc

/// Tells on standard error how far a long run is: on a terminal a line that is written over, elsewhere one a minute.
struct SeedProgress {
  private let kind: String
  private let count: Int
  private let start = Self.seconds()
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var nextReport: Double
  private var done = 0

  init(kind: String, count: Int) {
    self.kind = kind
    self.count = count
    nextReport = start + (isatty(STDERR_FILENO) == 1 ? 1 : 60)
  }

  /// One more seed has been played.
  mutating func advance(failureCount: Int) {
    done += 1
    // The clock is not asked for each: a thousand small worlds are played in a second.
    guard done & 15 == 0 else { return }
    let now = Self.seconds()
    guard now >= nextReport else { return }
    nextReport = now + (isTerminal ? 1 : 60)
    let rate = Double(done) / max(now - start, 0.001)
    let secondsLeft = Int(Double(count - done) / rate)
    let text =
      "\(kind): \(done) of \(count) seeds, \(failureCount) failed; \(Int(rate)) a second, "
      + "\(secondsLeft / 60) min \(secondsLeft % 60) s left"
    write(isTerminal ? "\r\u{1B}[K\(text)" : text + "\n")
  }

  /// Leaves the line to what comes next.
  func end() { if isTerminal { write("\r\u{1B}[K") } }

  private func write(_ text: String) {
    text.utf8.withContiguousStorageIfAvailable { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
