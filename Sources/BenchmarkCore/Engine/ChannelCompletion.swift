/// The end of a command.
@frozen public struct ChannelCompletion: Sendable {
  public var token: UInt32
  public var isSuccess: Bool

  public init(token: UInt32, isSuccess: Bool) {
    self.token = token
    self.isSuccess = isSuccess
  }
}
