/// What a Connect command carries beside its data (NVMe Base 2.1, section 6.3, figure 545).
public struct ConnectFields: Hashable, Sendable {
  public var recordFormat: UInt16
  public var queueIdentifier: UInt16
  /// SQSIZE as on the wire, zeroes based; 0 is not allowed.
  public var submissionQueueSize: UInt16
  public var connectAttributes: UInt8
  public var keepAliveTimeoutMilliseconds: UInt32

  public init(_ entry: SubmissionQueueEntry) {
    recordFormat = UInt16(truncatingIfNeeded: entry.cdw10)
    queueIdentifier = UInt16(truncatingIfNeeded: entry.cdw10 >> 16)
    submissionQueueSize = UInt16(truncatingIfNeeded: entry.cdw11)
    connectAttributes = UInt8(truncatingIfNeeded: entry.cdw11 >> 16)
    keepAliveTimeoutMilliseconds = entry.cdw12
  }

  /// Queue depth: SQSIZE + 1.
  public var entries: Int { Int(submissionQueueSize) + 1 }
  public var disableSubmissionQueueFlowControl: Bool { connectAttributes & 1 << 2 != 0 }
  public var individualQueueDeletion: Bool { connectAttributes & 1 << 3 != 0 }
}
