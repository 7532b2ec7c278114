/// One value for reads, one for writes and one for trims, as fio's comma-separated options give them.
@frozen public struct PerDirection<Value> {
  public var read: Value
  public var write: Value
  public var trim: Value

  @inlinable
  public init(read: Value, write: Value, trim: Value) {
    self.read = read
    self.write = write
    self.trim = trim
  }

  @inlinable
  public init(all value: Value) {
    self.init(read: value, write: value, trim: value)
  }

  @inlinable
  public subscript(direction: DataDirection) -> Value {
    get {
      switch direction {
      case .read: read
      case .write: write
      case .trim: trim
      }
    }
    set {
      switch direction {
      case .read: read = newValue
      case .write: write = newValue
      case .trim: trim = newValue
      }
    }
  }
}

extension PerDirection: Sendable where Value: Sendable {}
extension PerDirection: Equatable where Value: Equatable {}
