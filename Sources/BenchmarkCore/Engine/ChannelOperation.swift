/// What a job asks of its channel.
@frozen public enum ChannelOperation: UInt8, Sendable {
  case read
  case write
  case trim
  case flush
}
