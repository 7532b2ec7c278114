import TLS
import TestCertificates
import Testing

/// Files that are wrong, and what is said of them.
@Suite struct TLSContextTests {
  private func problem(_ certificate: String?, _ key: String?, authority: String? = nil) -> String? {
    do throws(TLSConfigurationError) {
      _ = try TLSContext(
        TLSConfiguration(role: .server, certificateFile: certificate, keyFile: key, authorityFile: authority))
      return nil
    } catch { return "\(error)" }
  }

  @Test func filesThatAreWrong() {
    let files = TLSPair.certificates
    let (certificate, key) = (files.certificate("server"), files.key("server"))
    let empty = files.write("", to: "empty")
    let damaged = files.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", to: "damaged")
    #expect(problem(certificate, key) == nil)
    #expect(problem(nil, nil) == "a server needs a certificate, or shared keys")
    #expect(problem(certificate, nil) == "\(certificate): a certificate needs its private key")
    #expect(problem("/nowhere.pem", key) == "/nowhere.pem: No such file or directory")
    #expect(problem(certificate, "/nowhere.pem") == "/nowhere.pem: No such file or directory")
    #expect(problem(certificate, key, authority: "/nowhere.pem") == "/nowhere.pem: No such file or directory")
    #expect(problem(files.folder, key) == "\(files.folder): not a regular file")
    #expect(problem(empty, key) == "\(empty): no certificate in PEM form (no start line)")
    #expect(problem(damaged, key)?.hasPrefix("\(damaged): no certificate in PEM form (") == true)
    #expect(problem(certificate, empty)?.hasPrefix("\(empty): no private key in PEM form") == true)
    #expect(problem(key, key) == "\(key): no certificate in PEM form (no start line)")
    #expect(
      problem(certificate, files.key("client"))
        == "\(files.key("client")): not the key of the certificate in \(certificate)")
    #expect(
      problem(files.certificate("secret"), files.key("secret"))
        == "\(files.key("secret")): the key has a passphrase, which nobody is there to give: remove it")
    #expect(
      problem(certificate, key, authority: empty)?.hasPrefix("\(empty): no certificates of authorities in PEM form")
        == true)
  }

  @Test func validity() throws {
    #expect(try TLSPair.server().certificate?.subject == "CN=server.test")
    #expect(try TLSPair.server().certificate?.complaint == nil)
    let expired = try #require(try TLSPair.server("expired").certificate)
    #expect(expired.validity == .expired)
    #expect(expired.complaint == "the certificate of CN=server.test has expired on \(expired.notAfter)")
    let future = try #require(try TLSPair.server("future").certificate)
    #expect(future.validity == .notYet)
    #expect(future.notAfter.hasSuffix(" UTC") && future.notAfter.hasPrefix("20"))
  }

  /// As an editor on Windows leaves the file.
  @Test func sharedKeysWithCarriageReturns() throws {
    let text = "# both\r\nalice:00112233445566778899aabbccddeeff\r\n\r\nbob:00112233445566778899aabbccddeef0\r\n"
    let file = TLSPair.certificates.write(text, to: "windows-keys")
    _ = try TLSContext(TLSConfiguration(role: .server, sharedKeyFile: file))
  }

  @Test func sharedKeysThatAreWrong() {
    let files = TLSPair.certificates
    for (text, reason) in [
      ("", "no keys"), ("# nothing\n\n", "no keys"), ("alice\n", "line 1: not IDENTITY:KEY"),
      (":00\n", "line 1: not IDENTITY:KEY"),
      ("alice:00112233445566778899aabbccddeeff\nbob:0g\n", "line 2: the key is not hexadecimal"),
      ("alice:123\n", "line 1: the key is not hexadecimal"),
      ("alice:00112233\n", "line 1: a key has 16 to 64 bytes, not 4"),
      ("alice:\(String(repeating: "00", count: 65))", "line 1: a key has 16 to 64 bytes, not 65"),
      (
        "a:00112233445566778899aabbccddeeff\n\na:00112233445566778899aabbccddeeff",
        "line 3: the identity is there already"
      ),
    ] {
      let file = files.write(text, to: "keys")
      do throws(TLSConfigurationError) {
        _ = try TLSContext(TLSConfiguration(role: .server, sharedKeyFile: file))
        Issue.record("taken: \(text)")
      } catch { #expect("\(error)" == "\(file): \(reason)") }
    }
  }
}
