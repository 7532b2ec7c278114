internal import COpenSSL

/// OpenSSL's queue of errors, one a thread.
enum TLSErrorQueue {
  /// Takes the errors out, and says what the first of them is: the later ones are about what came of it.
  static func take() -> (reason: String, library: Int32, number: Int32)? {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0 else { return nil }
    let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
    return (reason, nvmeof_error_library(code), nvmeof_error_reason(code))
  }
}
