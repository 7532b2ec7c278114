internal import CTestCertificates
internal import Glibc

/// A folder with certificates, made anew and removed at the end: of an authority, of what it has signed, and of others.
public final class TestCertificates: Sendable {
  public let folder: String

  public init() {
    var template = Array("/tmp/swift-nvmeof-tls-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no folder in /tmp")
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    make("authority", name: "Test authority")
    make("server", name: "server.test", signer: "authority")
    make("client", name: "client.test", signer: "authority")
    make("expired", name: "server.test", from: -7200, to: -3600, signer: "authority")
    make("future", name: "server.test", from: 3600, to: 7200, signer: "authority")
    make("secret", name: "server.test", signer: "authority", passphrase: "a passphrase")
    make("stranger-authority", name: "Another authority")
    make("stranger", name: "client.test", signer: "stranger-authority")
  }

  deinit {
    for name in names { unlink("\(folder)/\(name)") }
    rmdir(folder)
  }

  public func certificate(_ name: String) -> String { "\(folder)/\(name).pem" }
  public func key(_ name: String) -> String { "\(folder)/\(name)-key.pem" }

  /// Any file.
  public func write(_ text: String, to name: String) -> String {
    let path = "\(folder)/\(name)"
    let file = fopen(path, "w")!
    fputs(text, file)
    fclose(file)
    return path
  }

  /// What a client says first that has a shared key under this name.
  public static func clientHello(identity: String) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = nvmeof_make_client_hello(identity, buffer.baseAddress!, buffer.count)
      precondition(count > 0, "no client hello")
    }
  }

  private var names: [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
  }

  private func make(
    _ file: String, name: String, from: Int = -3600, to: Int = 86_400, signer: String? = nil, passphrase: String? = nil
  ) {
    let isMade = nvmeof_make_certificate(
      certificate(file), key(file), name, from, to, signer.map(certificate), signer.map(key), passphrase)
    precondition(isMade == 1, "no certificate for \(file)")
  }
}
