internal import NVMeProtocol

/// An entry of the Error Information log.
struct TargetErrorRecord {
  var count: UInt64
  var queueIdentifier: UInt16
  var commandIdentifier: UInt16
  var status: StatusField
  var startingLBA: UInt64
  var namespaceIdentifier: UInt32
}
