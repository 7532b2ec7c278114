internal import BlockDevice

/// A further address of a job's target.
public struct PathAddress: Sendable, Hashable, CustomStringConvertible {
  /// A host name, or an IPv4 or IPv6 address without brackets.
  public var host: String
  public var port: UInt16

  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// As a user writes it: "host", "host:port", "[2001:db8::1]:port". Without a port it is 4420.
  init(parsing text: Substring) throws(OptionValueError) {
    let expected = "addresses such as 192.0.2.8:4420 or [2001:db8::8]:4420, separated by commas"
    guard !text.isEmpty, !text.contains(where: { "/?#@".contains($0) }) else { throw OptionValueError(expected) }
    do throws(TargetIdentifierError) {
      // Any subsystem will do: it only has the default port be that of one.
      let identifier = try TargetIdentifier(parsing: "nvme+tcp://\(text)/nqn.2014-08.org.nvmexpress:path")
      self.init(host: identifier.host, port: identifier.port)
    } catch {
      throw OptionValueError("\(expected); '\(text)': \(error.problem)")
    }
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
