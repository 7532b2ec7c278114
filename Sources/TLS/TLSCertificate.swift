internal import COpenSSL
internal import Glibc

/// What is to be known about a certificate.
public struct TLSCertificate: Sendable, Hashable {
  public enum Validity: Sendable, Hashable {
    case valid
    case notYet
    case expired
  }

  /// As in RFC 2253, for example "CN=disks.example.org".
  public var subject: String
  /// In UTC, for people.
  public var notBefore: String
  public var notAfter: String
  /// When it was read.
  public var validity: Validity

  /// What is wrong with its time; nil when nothing is. A peer that looks refuses it then.
  public var complaint: String? {
    switch validity {
    case .valid: nil
    case .notYet: "the certificate of \(subject) is not valid before \(notBefore)"
    case .expired: "the certificate of \(subject) has expired on \(notAfter)"
    }
  }

  init(_ certificate: OpaquePointer) {
    subject = Self.subject(certificate)
    let (start, end) = (X509_get0_notBefore(certificate), X509_get0_notAfter(certificate))
    (notBefore, notAfter) = (Self.text(start), Self.text(end))
    // Below zero: in the past; zero is an error, which is a time that nobody can hold it to.
    validity = X509_cmp_current_time(end) <= 0 ? .expired : X509_cmp_current_time(start) >= 0 ? .notYet : .valid
  }

  private static func subject(_ certificate: OpaquePointer) -> String {
    guard let memory = BIO_new(BIO_s_mem()) else { return "" }
    defer { BIO_free(memory) }
    X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, nvmeof_name_form)
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 512) { buffer in
      let count = BIO_read(memory, buffer.baseAddress, Int32(buffer.count))
      return count > 0 ? String(decoding: buffer.prefix(Int(count)), as: UTF8.self) : "nobody"
    }
  }

  private static func text(_ time: UnsafePointer<ASN1_TIME>?) -> String {
    var fields = tm()
    guard let time, ASN1_TIME_to_tm(time, &fields) == 1 else { return "a time that cannot be read" }
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(fields.tm_year + 1900)-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday)) "
      + "\(two(fields.tm_hour)):\(two(fields.tm_min)) UTC"
  }
}
