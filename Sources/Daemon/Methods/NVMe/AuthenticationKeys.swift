internal import Glibc
internal import JSONRPC

/// Keys that a request names. None can be used yet: a request with one is refused, for the key's sake where that is not
/// there, else because there is no authentication.
enum AuthenticationKeys {
  static func refuse(_ names: [String?], of service: NVMeService) throws(RPCError) {
    for case let name? in names {
      guard service.hasKey(name) else {
        throw .system(ENOKEY, detail: "there is no key '\(name)'")
      }
    }
    for case let name? in names {
      throw RPCError(
        code: -Int(EOPNOTSUPP), message: "Key '\(name)' cannot be used: TLS and authentication are not supported yet")
    }
  }
}
