/// A target's URI that cannot be understood.
public struct ConformanceTargetError: Error, CustomStringConvertible {
  public let uri: String
  public let problem: String

  init(_ uri: String, _ problem: String) {
    self.uri = uri
    self.problem = problem
  }

  public var description: String {
    "'\(uri)' is no target: \(problem). Example: nvme+tcp://192.0.2.1:4420/nqn.2026-01.example:disk?nsid=1"
  }
}
