/// What happened to a controller's namespaces at run time.
public enum NamespaceChange: Sendable, Hashable {
  case added(NamespaceInformation)
  /// Gone, or replaced by a namespace with other identifiers or another format under the same NSID (which is then reported
  /// as added).
  case removed(NamespaceInformation)
  /// Same namespace, another number of blocks or other attributes.
  case changed(old: NamespaceInformation, new: NamespaceInformation)

  /// What differs between two sets of namespaces, by NSID, in the order of the NSIDs.
  static func changes(
    from old: [UInt32: NamespaceInformation], to new: [UInt32: NamespaceInformation]
  ) -> [NamespaceChange] {
    var changes: [NamespaceChange] = []
    for identifier in Set(old.keys).union(new.keys).sorted() {
      switch (old[identifier], new[identifier]) {
      case (nil, let new?):
        changes.append(.added(new))
      case (let old?, nil):
        changes.append(.removed(old))
      case (let old?, let new?)
      where !old.hasSameIdentity(as: new) || (old.unusableReason == nil) != (new.unusableReason == nil):
        changes.append(.removed(old))
        changes.append(.added(new))
      case (let old?, let new?):
        // Use goes up and down with every write: not news.
        var comparable = new
        comparable.usedBlockCount = old.usedBlockCount
        if comparable != old { changes.append(.changed(old: old, new: new)) }
      case (nil, nil):
        break
      }
    }
    return changes
  }
}
