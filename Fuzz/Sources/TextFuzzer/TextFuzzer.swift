import NVMeProtocol

/// What users write: URIs, transport identifiers, host identity files. None may trap, and a text that was understood
/// must be understood the same after it has been written out again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzText(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = FuzzInput(UnsafeBufferPointer(start: data, count: count))
  let choice = input.byte()
  let text = String(decoding: input.rest(), as: UTF8.self)
  switch choice % 4 {
  case 0:
    _ = try? HostIdentityFile.parse(text, path: "/etc/nvme")
    _ = NVMeQualifiedName.problem(with: text)
    _ = NVMeQualifiedName.uuid(of: text)
    _ = Identifier128(text)
    check(PercentCoding.decode(PercentCoding.encode(text)) == text, "percent coding loses something")
  case 1: parse("nvme+tcp://" + text)
  case 2: parse("trtype:TCP traddr:" + text)
  default: parse(text)
  }
  return 0
}

private func parse(_ text: String) {
  let identifier: TargetIdentifier
  do throws(TargetIdentifierError) {
    identifier = try TargetIdentifier(parsing: text)
  } catch {
    check(!error.description.isEmpty, "an error without a description")
    return
  }
  check((try? TargetIdentifier(parsing: identifier.uri)) == identifier, "URI \(identifier.uri) reads differently")
  check(
    (try? TargetIdentifier(parsing: identifier.transportIdentifier)) == identifier,
    "transport identifier \(identifier.transportIdentifier) reads differently")
}
