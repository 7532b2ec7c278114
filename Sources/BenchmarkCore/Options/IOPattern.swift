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
  /// Each block is trimmed, then written.
  case trimwrite
  case randtrimwrite

  public var isRandom: Bool {
    switch self {
    case .randread, .randwrite, .randtrim, .randrw, .randtrimwrite: true
    case .read, .write, .trim, .rw, .trimwrite: false
    }
  }

  public var isMixed: Bool { self == .rw || self == .randrw }

  public var writesWhatItTrims: Bool { self == .trimwrite || self == .randtrimwrite }

  public func includes(_ direction: DataDirection) -> Bool {
    switch direction {
    case .read: self == .read || self == .randread || isMixed
    case .write: self == .write || self == .randwrite || isMixed || writesWhatItTrims
    case .trim: self == .trim || self == .randtrim || writesWhatItTrims
    }
  }

  public var directions: [DataDirection] { DataDirection.allCases.filter(includes) }

  /// The one direction of a pattern that has no other.
  public var onlyDirection: DataDirection? { directions.count == 1 ? directions[0] : nil }

  /// The letter of the status line.
  public var statusLetter: Character {
    switch self {
    case .read: "R"
    case .write, .trimwrite: "W"
    case .trim: "D"
    case .randread: "r"
    case .randwrite, .randtrimwrite: "w"
    case .randtrim: "d"
    case .rw: "M"
    case .randrw: "m"
    }
  }
}
