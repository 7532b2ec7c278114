/// Where the host's side of a TCP queue pair stands.
@frozen public enum HostQueuePairState: UInt8, Sendable {
  /// ICReq is on its way; ICResp has not come.
  case initializing
  /// Commands flow.
  case ready
  /// A rule was broken: the termination request is on its way, nothing else is sent or accepted.
  case terminating
  /// The controller has asked for the end with a C2HTermReq.
  case terminatedByController
}
