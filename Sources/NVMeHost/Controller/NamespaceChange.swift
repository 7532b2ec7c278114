/// What happened to a controller's namespaces at run time.
public enum NamespaceChange: Sendable, Hashable {
  case added(NamespaceInformation)
  /// Gone, or replaced by a namespace with other identifiers under the same NSID (which is then reported as added).
  case removed(NamespaceInformation)
  /// Same namespace, other size or attributes.
  case changed(old: NamespaceInformation, new: NamespaceInformation)
}
