/// Why the host's identity could not be had: which file, what is wrong, what to do.
public enum HostIdentityError: Error, Hashable, Sendable, CustomStringConvertible {
  case invalidName(String, problem: String)
  case invalidIdentifier(String)
  case noHomeDirectory
  /// A system call failed; `reason` is its error's text.
  case file(path: String, operation: String, reason: String)
  case malformedFile(path: String, problem: String)

  public var description: String {
    switch self {
    case .invalidName(let name, let problem):
      "host NQN \"\(name)\" is not valid: \(problem); give one like \(NVMeQualifiedName.uuidPrefix)UUID"
    case .invalidIdentifier(let text):
      "host identifier \"\(text)\" is not valid: give a UUID that is not all zero"
    case .noHomeDirectory:
      "there is no place to keep the host identity: neither XDG_CONFIG_HOME nor HOME is set; "
        + "set one, or give a host NQN and host identifier"
    case .file(let path, let operation, let reason):
      "cannot \(operation) the host identity file \(path): \(reason); "
        + "make it accessible, or give a host NQN and host identifier"
    case .malformedFile(let path, let problem):
      "the host identity file \(path) is malformed: \(problem); correct it, or remove it to have a new one made"
    }
  }
}
