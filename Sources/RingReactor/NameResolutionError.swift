/// Why a host name could not be turned into addresses.
public struct NameResolutionError: Error, Equatable, CustomStringConvertible {
  public var host: String
  public var reason: String

  public var description: String { "cannot resolve host name “\(host)”: \(reason)" }
}
