public import NVMeHost

/// What is true of a multipath device and its paths at one moment.
public struct MultipathSnapshot: Sendable {
  public struct Path: Sendable {
    public var identifier: MultipathPathIdentifier
    public var controller: Controller
    /// The transport's address, for people.
    public var address: String
    /// CNTLID; FFFFh = not connected yet.
    public var controllerIdentifier: UInt16
    public var state: RecoveryState
    /// Requests go this way now.
    public var isCurrent: Bool
    /// There is an association.
    public var isConnected: Bool
    /// The namespace can be accessed through it.
    public var isAccessible: Bool
    public var isPreferred: Bool
    /// It has left I/O commands unanswered, and has not shown yet that it does I/O again: it is used where there is no other
    /// path.
    public var isOnProbation: Bool
    /// What it can be used for, or why not.
    public var availability: PathAvailability
    /// What its controller has gone through.
    public var recovery: RecoveryStatistics
    /// What sending a modifying request of unknown outcome again costs, should this path be lost, in milliseconds;
    /// nil = it is never sent again, because the controller has no keep alive.
    public var quiesceMilliseconds: UInt64?
    /// What has been sent this way; nil where it is not counted.
    public var io: BlockStatistics?
  }

  public var paths: [Path]
  public var statistics: MultipathStatistics
  /// Failed commands by their status (type and code, in bits 10:0).
  public var errorCounts: [UInt16: UInt64]
  public var isGone: Bool
}
