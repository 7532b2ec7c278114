/// Makes the line that a copy shows on a terminal. Knows no clock: the caller says what time it is.
struct ProgressMeter: Sendable {
  private struct Sample {
    var seconds: Double
    var byteCount: UInt64
  }

  /// The rate is that of the last so many samples, so that it follows what happens, without jumping.
  private static let sampleCount = 20

  private var samples: [Sample] = [Sample(seconds: 0, byteCount: 0)]
  private let verb: String

  /// - Parameter verb: what is being done: "copied", "verified".
  init(verb: String) { self.verb = verb }

  /// - Parameters:
  ///   - seconds: since the beginning.
  ///   - total: nil when unknown.
  mutating func line(seconds: Double, done: UInt64, total: UInt64?) -> String {
    samples.append(Sample(seconds: seconds, byteCount: done))
    if samples.count > Self.sampleCount { samples.removeFirst() }
    let elapsed = seconds - samples[0].seconds
    let moved = done - min(done, samples[0].byteCount)
    let rate = elapsed > 0 ? Double(moved) / elapsed : 0
    let rateText = "\(ByteText.binary(rate < 1e18 ? UInt64(rate) : 0))/s"
    guard let total else { return "\(ByteText.binary(done)) \(verb), \(rateText)" }
    let percent = total == 0 ? 100 : Double(done) / Double(total) * 100
    let rest = rate > 0 ? ByteText.duration(seconds: Double(total - min(done, total)) / rate) : "-"
    return
      "\(ByteText.binary(done)) of \(ByteText.binary(total)) \(verb) (\(ByteText.fixed(percent, 1))%), \(rateText), ETA \(rest)"
  }
}
