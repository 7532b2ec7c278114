internal import BlockDevice

/// What is wrong with one controller's port and the network to it. A new value is a world in order.
struct TargetFaults {
  /// Nothing arrives, in neither direction; what has been sent arrives afterwards, if anybody is left to take it.
  var isPartitioned = false
  var refusesConnections = false
  /// Fabrics Connect is answered with Do Not Retry.
  var refusesForGood = false
  var networkDelayMilliseconds = 0
  /// One bit of a chunk is changed on the way, where digests are in use.
  var corruptionProbability = 0.0
  /// How long commands may take.
  var ioDelayMilliseconds = 0
  var adminDelayMilliseconds = 0
  /// Reads, or writes, are taken and not answered; everything else is.
  var ignoresReads = false
  var ignoresWrites = false
  /// Commands are answered with an error that may pass.
  var errorProbability = 0.0
  /// Commands are answered a second time, at some later time.
  var duplicateProbability = 0.0
  /// Commands are reported done without all of their data.
  var shortDataProbability = 0.0
  /// CSTS.CFS
  var isFatal = false
  /// CSTS.RDY is 0, whatever the host has set: somebody else has reset the controller.
  var isNotReady = false
  var anaState = ANAState.optimized
  var hasNamespace = true
  /// The namespace is another one: it must be neither read nor written.
  var isStranger = false
  var grantedQueueCount = 64
}
