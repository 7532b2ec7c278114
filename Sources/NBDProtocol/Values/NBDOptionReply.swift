/// NBD_REP_*, "Option reply types".
public enum NBDOptionReply: UInt32, Sendable {
  case acknowledge = 1
  case server = 2
  case info = 3
  case metaContext = 4
  case errorUnsupported = 0x8000_0001
  case errorPolicy = 0x8000_0002
  case errorInvalid = 0x8000_0003
  case errorPlatform = 0x8000_0004
  case errorTLSRequired = 0x8000_0005
  case errorUnknown = 0x8000_0006
  case errorShutdown = 0x8000_0007
  case errorBlockSizeRequired = 0x8000_0008
  case errorTooBig = 0x8000_0009
  case errorExtendedHeadersRequired = 0x8000_000A
}
