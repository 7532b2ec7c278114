/// The statuses that code compares with; all others have names only.
extension StatusField {
  // Generic Command Status.
  @inlinable
  public static var success: StatusField { StatusField(.generic, 0x00) }
  @inlinable
  public static var invalidCommandOpcode: StatusField { StatusField(.generic, 0x01) }
  @inlinable
  public static var invalidFieldInCommand: StatusField { StatusField(.generic, 0x02) }
  @inlinable
  public static var commandIDConflict: StatusField { StatusField(.generic, 0x03) }
  @inlinable
  public static var dataTransferError: StatusField { StatusField(.generic, 0x04) }
  @inlinable
  public static var internalError: StatusField { StatusField(.generic, 0x06) }
  @inlinable
  public static var commandAbortRequested: StatusField { StatusField(.generic, 0x07) }
  @inlinable
  public static var commandAbortedSQDeletion: StatusField { StatusField(.generic, 0x08) }
  @inlinable
  public static var commandAbortedFailedFusedCommand: StatusField { StatusField(.generic, 0x09) }
  @inlinable
  public static var commandAbortedMissingFusedCommand: StatusField { StatusField(.generic, 0x0A) }
  @inlinable
  public static var invalidNamespaceOrFormat: StatusField { StatusField(.generic, 0x0B) }
  @inlinable
  public static var commandSequenceError: StatusField { StatusField(.generic, 0x0C) }
  @inlinable
  public static var dataSGLLengthInvalid: StatusField { StatusField(.generic, 0x0F) }
  @inlinable
  public static var sglDescriptorTypeInvalid: StatusField { StatusField(.generic, 0x11) }
  @inlinable
  public static var sglOffsetInvalid: StatusField { StatusField(.generic, 0x16) }
  @inlinable
  public static var hostIdentifierInconsistentFormat: StatusField { StatusField(.generic, 0x18) }
  @inlinable
  public static var keepAliveTimerExpired: StatusField { StatusField(.generic, 0x19) }
  @inlinable
  public static var keepAliveTimeoutInvalid: StatusField { StatusField(.generic, 0x1A) }
  @inlinable
  public static var namespaceIsWriteProtected: StatusField { StatusField(.generic, 0x20) }
  @inlinable
  public static var commandInterrupted: StatusField { StatusField(.generic, 0x21) }
  @inlinable
  public static var transientTransportError: StatusField { StatusField(.generic, 0x22) }
  @inlinable
  public static var lbaOutOfRange: StatusField { StatusField(.generic, 0x80) }
  @inlinable
  public static var capacityExceeded: StatusField { StatusField(.generic, 0x81) }
  @inlinable
  public static var namespaceNotReady: StatusField { StatusField(.generic, 0x82) }
  @inlinable
  public static var reservationConflict: StatusField { StatusField(.generic, 0x83) }
  @inlinable
  public static var formatInProgress: StatusField { StatusField(.generic, 0x84) }

  // Command Specific Status, admin and I/O.
  @inlinable
  public static var invalidQueueIdentifier: StatusField { StatusField(.commandSpecific, 0x01) }
  @inlinable
  public static var invalidQueueSize: StatusField { StatusField(.commandSpecific, 0x02) }
  @inlinable
  public static var abortCommandLimitExceeded: StatusField { StatusField(.commandSpecific, 0x03) }
  @inlinable
  public static var asynchronousEventRequestLimitExceeded: StatusField { StatusField(.commandSpecific, 0x05) }
  @inlinable
  public static var invalidLogPage: StatusField { StatusField(.commandSpecific, 0x09) }
  @inlinable
  public static var featureIdentifierNotSaveable: StatusField { StatusField(.commandSpecific, 0x0D) }
  @inlinable
  public static var featureNotChangeable: StatusField { StatusField(.commandSpecific, 0x0E) }
  @inlinable
  public static var commandSizeLimitExceeded: StatusField { StatusField(.commandSpecific, 0x83) }

  // Command Specific Status, fabrics.
  @inlinable
  public static var connectIncompatibleFormat: StatusField { StatusField(.commandSpecific, 0x80) }
  @inlinable
  public static var connectControllerBusy: StatusField { StatusField(.commandSpecific, 0x81) }
  @inlinable
  public static var connectInvalidParameters: StatusField { StatusField(.commandSpecific, 0x82) }
  @inlinable
  public static var connectRestartDiscovery: StatusField { StatusField(.commandSpecific, 0x83) }
  @inlinable
  public static var connectInvalidHost: StatusField { StatusField(.commandSpecific, 0x84) }
  @inlinable
  public static var invalidQueueType: StatusField { StatusField(.commandSpecific, 0x85) }
  @inlinable
  public static var discoverRestart: StatusField { StatusField(.commandSpecific, 0x90) }
  @inlinable
  public static var authenticationRequired: StatusField { StatusField(.commandSpecific, 0x91) }

  // Media and Data Integrity Errors.
  @inlinable
  public static var writeFault: StatusField { StatusField(.mediaAndDataIntegrity, 0x80) }
  @inlinable
  public static var unrecoveredReadError: StatusField { StatusField(.mediaAndDataIntegrity, 0x81) }
  @inlinable
  public static var compareFailure: StatusField { StatusField(.mediaAndDataIntegrity, 0x85) }
  @inlinable
  public static var accessDenied: StatusField { StatusField(.mediaAndDataIntegrity, 0x86) }
  @inlinable
  public static var deallocatedOrUnwrittenLogicalBlock: StatusField { StatusField(.mediaAndDataIntegrity, 0x87) }

  // Path Related Status.
  @inlinable
  public static var internalPathError: StatusField { StatusField(.pathRelated, 0x00) }
  @inlinable
  public static var asymmetricAccessPersistentLoss: StatusField { StatusField(.pathRelated, 0x01) }
  @inlinable
  public static var asymmetricAccessInaccessible: StatusField { StatusField(.pathRelated, 0x02) }
  @inlinable
  public static var asymmetricAccessTransition: StatusField { StatusField(.pathRelated, 0x03) }
  @inlinable
  public static var controllerPathingError: StatusField { StatusField(.pathRelated, 0x60) }
  /// The host's own: the path to the controller was lost before the command completed.
  @inlinable
  public static var hostPathingError: StatusField { StatusField(.pathRelated, 0x70) }
  /// The host's own: the command was given up.
  @inlinable
  public static var commandAbortedByHost: StatusField { StatusField(.pathRelated, 0x71) }
}
