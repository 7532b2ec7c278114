internal import JSONRPC

/// Methods about the daemon as a whole.
enum GenericMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    []
  }
}
