internal import CLiburing
import Glibc
import Synchronization

/// Turns host names into addresses without blocking a reactor.
///
/// The C library's resolver only has a blocking form worth trusting (it honours nsswitch, mDNS, /etc/hosts), so names are
/// looked up on a thread of their own; numeric addresses never leave the caller's thread.
public enum NameResolver {
  /// Look-ups under way in this process; more than this many at once are refused rather than made threads of.
  public static let maximumConcurrentLookUps = 64
  private static let lookUpsUnderWay = Atomic<Int>(0)

  private final class Request: Sendable {
    let host: String
    let port: UInt16
    let family: Int32
    let handle: ReactorHandle
    let completion: @Sendable (Reactor, Result<[SocketAddress], NameResolutionError>) -> Void
    init(
      host: String, port: UInt16, family: Int32, handle: ReactorHandle,
      completion: @escaping @Sendable (Reactor, Result<[SocketAddress], NameResolutionError>) -> Void
    ) {
      self.host = host
      self.port = port
      self.family = family
      self.handle = handle
      self.completion = completion
    }
  }

  /// Looks `host` up and hands the addresses, in the resolver's order of preference, to `completion` on the reactor's
  /// thread, always in a later turn. There is no deadline here: the caller has one and ignores a late answer.
  ///
  /// - Parameter family: AF_INET or AF_INET6, of which alone addresses are asked for; nil: of both. A numeric address is
  ///   handed on whatever it is of.
  public static func resolve(
    host: String, port: UInt16, family: Int32? = nil, on handle: ReactorHandle,
    completion: @escaping @Sendable (Reactor, Result<[SocketAddress], NameResolutionError>) -> Void
  ) {
    if let numeric = SocketAddress(numericHost: host, port: port) {
      handle.post { completion($0, .success([numeric])) }
      return
    }
    guard lookUpsUnderWay.wrappingAdd(1, ordering: .relaxed).newValue <= maximumConcurrentLookUps else {
      lookUpsUnderWay.wrappingSubtract(1, ordering: .relaxed)
      let error = NameResolutionError(
        host: host, reason: "\(maximumConcurrentLookUps) look-ups are under way already; the name server may be down")
      handle.post { completion($0, .failure(error)) }
      return
    }
    let request = Request(host: host, port: port, family: family ?? AF_UNSPEC, handle: handle, completion: completion)
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        let request = Unmanaged<Request>.fromOpaque(argument!).takeRetainedValue()
        let result = NameResolver.lookUp(
          host: request.host, port: request.port, family: request.family, flags: AI_NUMERICSERV, passive: false)
        NameResolver.lookUpsUnderWay.wrappingSubtract(1, ordering: .relaxed)
        request.handle.post { request.completion($0, result) }
        return nil
      }, Unmanaged.passRetained(request).toOpaque())
    if code != 0 {
      Unmanaged.passUnretained(request).release()
      lookUpsUnderWay.wrappingSubtract(1, ordering: .relaxed)
      let error = NameResolutionError(host: host, reason: "no thread for the look-up: \(errorText(code))")
      handle.post { completion($0, .failure(error)) }
    }
  }

  /// The blocking look-up itself.
  static func lookUp(
    host: String, port: UInt16, family: Int32 = AF_UNSPEC, flags: Int32, passive: Bool
  ) -> Result<[SocketAddress], NameResolutionError> {
    guard !host.utf8.contains(0), !host.isEmpty else {
      return .failure(NameResolutionError(host: host, reason: "a host name is not empty and holds no NUL"))
    }
    var hints = addrinfo()
    hints.ai_flags = flags | (passive ? AI_PASSIVE : 0)
    hints.ai_family = family
    hints.ai_socktype = nvmeof_stream_type
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      let reason = code == EAI_SYSTEM ? errorText(errno) : String(cString: gai_strerror(code))
      let kind = family == AF_INET ? "no IPv4 address: " : family == AF_INET6 ? "no IPv6 address: " : ""
      return .failure(NameResolutionError(host: host, reason: kind + reason))
    }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next, addresses.count < 16 {
      if info.pointee.ai_family == AF_INET || info.pointee.ai_family == AF_INET6 {
        addresses.append(SocketAddress(copying: info.pointee.ai_addr, byteCount: info.pointee.ai_addrlen))
      }
      next = info.pointee.ai_next
    }
    guard !addresses.isEmpty else {
      return .failure(NameResolutionError(host: host, reason: "it has no IPv4 or IPv6 address"))
    }
    return .success(addresses)
  }
}
