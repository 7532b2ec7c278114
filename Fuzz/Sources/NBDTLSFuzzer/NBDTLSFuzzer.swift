import CFuzzRandom

/// A client that begins TLS with a server of NBD, and then sends noise, anything within TLS, TLS that is damaged on its way,
/// or options in the clear behind its request, in any pieces. All of a server is there: connection, TLS, reactor. After TLS
/// has been accepted nothing leaves in the clear; what TLS does not like ends the connection; what is answered is what was
/// said under TLS, and nothing else; memory is bounded, and in the end nothing is left.
///
/// An input is the same run each time: time passes when the input says so, OpenSSL draws its numbers from a seed, and nobody
/// looks at a certificate's dates.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNBDTLS(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  nvmeof_fuzz_seed(1)
  var client = FuzzedClient(UnsafeBufferPointer(start: data, count: count))
  client.run()
  return 0
}
