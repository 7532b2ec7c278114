internal import NVMeProtocol

extension [DiscoveryRecord] {
  /// The referrals of one log that lead to something which the log does not have already.
  ///
  /// All entries with DUPRETINFO set lead to the same information (NVMe Base 2.1, section 5.1.12.3.1, figure 294): where
  /// the service that gave the log is one of them, the others have nothing to add; else one of them is enough.
  public var followedReferrals: [DiscoveryRecord] {
    var hasDuplicate = contains { $0.entry.subsystemType == .currentDiscovery && $0.entry.returnsDuplicateInformation }
    return filter { record in
      guard record.isReferral else { return false }
      guard record.entry.returnsDuplicateInformation else { return true }
      defer { hasDuplicate = true }
      return !hasDuplicate
    }
  }
}
