/// fio's `rw`: which directions, sequential or random.
public enum IOPattern: String, CaseIterable, Sendable {
  case read
  case write
  case trim
  case randread
  case randwrite
  case randtrim
  case rw
  case randrw

  public var isRandom: Bool {
    switch self {
    case .randread, .randwrite, .randtrim, .randrw: true
    case .read, .write, .trim, .rw: false
    }
  }

  public var isMixed: Bool { self == .rw || self == .randrw }

  public func includes(_ direction: DataDirection) -> Bool {
    switch direction {
    case .read: self == .read || self == .randread || isMixed
    case .write: self == .write || self == .randwrite || isMixed
    case .trim: self == .trim || self == .randtrim
    }
  }

  /// The one direction of a pattern that is not mixed.
  public var onlyDirection: DataDirection? {
    isMixed ? nil : DataDirection.allCases.first { includes($0) }
  }

  /// The letter of the status line.
  public var statusLetter: Character {
    switch self {
    case .read: "R"
    case .write: "W"
    case .trim: "D"
    case .randread: "r"
    case .randwrite: "w"
    case .randtrim: "d"
    case .rw: "M"
    case .randrw: "m"
    }
  }
}
