/// What a channel has to know of one path, as it travels from the controller's home reactor to the channel's.
package struct MultipathPathUpdate: Sendable, Hashable {
  package var availability: PathAvailability
  /// It is used where there is no other path (``PathProbation``).
  package var isOnProbation: Bool
  /// The association this is about, from 1, counted over all paths of the device, and anew where the namespace has come
  /// back within one: a path found lost is only used again in a later one.
  package var association: UInt64
  /// The same as the controller counts its own.
  package var controllerAssociation: UInt64
  /// How long the controller may still execute commands of a lost association (``CommunicationLossRule``), in
  /// nanoseconds; nil = it is never certain.
  package var quiesceNanoseconds: UInt64?
  /// CRDT1 to CRDT3, in units of 100 ms.
  package var commandRetryDelayTimes: [UInt16]

  package init(
    availability: PathAvailability, isOnProbation: Bool = false, association: UInt64,
    controllerAssociation: UInt64 = 0, quiesceNanoseconds: UInt64?, commandRetryDelayTimes: [UInt16] = []
  ) {
    self.availability = availability
    self.isOnProbation = isOnProbation
    self.association = association
    self.controllerAssociation = controllerAssociation
    self.quiesceNanoseconds = quiesceNanoseconds
    self.commandRetryDelayTimes = commandRetryDelayTimes
  }
}
