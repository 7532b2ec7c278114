/// A mistake made on purpose at the boundary to the kernel, where the bytes or the memory look as they would if the
/// initiator had made it: so that it can be seen that the simulation would find it.
public enum PlantedWireBug: String, Sendable, CaseIterable {
  /// Writes of unknown outcome are sent again at once.
  case noFence
  /// The wait forgets that the controller's keep alive timer is coarser than the host's.
  case keepAliveGranularityIgnored
  /// A second answer to a command that has ended is taken for the answer to the one that uses its slot now.
  case lateCompletionAccepted
  /// A read ends before all of its data has come.
  case dataIncomplete
  /// Commands end while the kernel may still receive into their memory.
  case receiveMemoryReleasedEarly
  /// Commands end while the kernel has not yet read all of their memory.
  case sendMemoryReleasedEarly
  /// Data digests are asked for, but not looked at.
  case dataDigestIgnored
  /// More queues are connected than the controller has granted.
  case fewerQueuesIgnored
  /// A namespace with another identity is taken for the one that was there before.
  case identityIgnored
  /// A path that has left I/O unanswered is probed at once, each time that it is back.
  case probationsNotCounted
  /// What the kernel says of a receive that it was asked to give back is not heard.
  case cancelledReceiveForgotten
}
