/// fio's live line: jobs by state, share done, rates since the last line, paths that are down, time left.
struct StatusLine {
  /// What the line needs to know of one job.
  struct Job {
    var state: JobState
    var pattern: IOPattern
    /// 0…1, nil if it cannot be told.
    var done: Double?
    var secondsLeft: Double?
    var totals: PerDirection<(byteCount: UInt64, operations: UInt64)>
    /// Addresses of paths that cannot be used now.
    var pathsDown: [String] = []
  }

  private var lastTime: UInt64
  private var last = PerDirection<(byteCount: UInt64, operations: UInt64)>(all: (0, 0))

  init(now: UInt64) {
    lastTime = now
  }

  /// `secondsAfter`: what jobs that have not started yet will take at least.
  mutating func render(_ jobs: [Job], now: UInt64, elapsedSeconds: Double, secondsAfter: Double) -> String {
    let active = jobs.count { [.ramping, .running, .flushing, .verifying].contains($0.state) }
    var sums = PerDirection<(byteCount: UInt64, operations: UInt64)>(all: (0, 0))
    for direction in DataDirection.allCases {
      for job in jobs {
        sums[direction].byteCount += job.totals[direction].byteCount
        sums[direction].operations += job.totals[direction].operations
      }
    }
    let interval = Double(max(1, now - lastTime)) / 1e9
    defer {
      last = sums
      lastTime = now
    }
    var text = "Jobs: \(active) (f=\(active)): [\(Self.states(jobs))]"
    let left = jobs.compactMap(\.secondsLeft).max()
    if let left {
      let rest = left + secondsAfter
      let share = elapsedSeconds + rest > 0 ? elapsedSeconds / (elapsedSeconds + rest) * 100 : 100
      text += "[\(Formatting.fixed(min(100, share), 1))%]"
    }
    let letters: PerDirection<String> = PerDirection(read: "r", write: "w", trim: "t")
    var bandwidths: [String] = []
    var rates: [String] = []
    for direction in DataDirection.allCases where sums[direction].operations > 0 {
      let bytes = Double(sums[direction].byteCount &- last[direction].byteCount) / interval
      let operations = Double(sums[direction].operations &- last[direction].operations) / interval
      bandwidths.append("\(letters[direction])=\(Formatting.binaryBytes(Formatting.whole(bytes)))/s")
      rates.append("\(letters[direction])=\(Formatting.scaled(Formatting.whole(operations), figures: 4, .decimal))")
    }
    if !rates.isEmpty {
      text += "[\(bandwidths.joined(separator: ","))][\(rates.joined(separator: ",")) IOPS]"
    }
    let down = Set(jobs.flatMap(\.pathsDown)).sorted()
    if let first = down.first { text += "[down: \(first)\(down.count > 1 ? " +\(down.count - 1)" : "")]" }
    if let left { text += "[eta \(Self.time(left + secondsAfter))]" }
    return text
  }

  /// Equal neighbours are counted: m(2),_(1).
  static func states(_ jobs: [Job]) -> String {
    var runs: [(letter: Character, count: Int)] = []
    for job in jobs {
      let letter = letter(job)
      if let last = runs.last, last.letter == letter {
        runs[runs.count - 1].count += 1
      } else {
        runs.append((letter, 1))
      }
    }
    return runs.map { "\($0.letter)(\($0.count))" }.joined(separator: ",")
  }

  private static func letter(_ job: Job) -> Character {
    switch job.state {
    case .notStarted: "P"
    case .initializing: "I"
    case .ramping: "/"
    case .running: job.pattern.statusLetter
    case .flushing: "F"
    case .verifying: "V"
    case .finishing: "f"
    case .finished: "_"
    case .failed: "X"
    }
  }

  /// 00m:03s, 01h:02m:03s, 2d:01h:02m:03s
  static func time(_ seconds: Double) -> String {
    let whole = Formatting.whole(seconds.rounded(.up))
    func two(_ value: UInt64) -> String { value < 10 ? "0\(value)" : String(value) }
    var text = ""
    if whole >= 86_400 { text += "\(two(whole / 86_400))d:" }
    if whole >= 3600 { text += "\(two(whole / 3600 % 24))h:" }
    return text + "\(two(whole / 60 % 60))m:\(two(whole % 60))s"
  }
}
