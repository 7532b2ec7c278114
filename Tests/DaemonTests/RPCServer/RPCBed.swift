import Glibc
import JSONRPC
import Logging
import RingReactor
import Synchronization
import TestSupport

@testable import Daemon

/// A server with methods for tests on a reactor of its own.
final class RPCBed: Sendable {
  let path: String
  let control: ReactorThread
  let dispatcher: RPCDispatcher
  let gate = Gate()
  private let server = Box()

  /// Touched on the control reactor alone.
  private final class Box: @unchecked Sendable {
    var server: RPCServer?
  }

  /// Calls of "wait" go on when it is opened.
  final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>((false, []))

    func pass() async {
      await withCheckedContinuation { continuation in
        let isOpen = state.withLock { state in
          if !state.isOpen { state.waiting.append(continuation) }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
    }

    func open() {
      let waiting = state.withLock { state in
        state.isOpen = true
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }

    var waitingCount: Int { state.withLock { $0.waiting.count } }
  }

  /// No part of it is like another one.
  static let largeText = (0..<22_000).map(String.init).joined(separator: ",")

  private static let number = Atomic<Int>(0)

  init(limits: RPCLimits = RPCLimits(), budget: RPCBudget.Limits = RPCBudget.Limits()) async throws {
    path = "/tmp/nvmeofd-test-\(getpid())-\(Self.number.wrappingAdd(1, ordering: .relaxed).newValue)"
    control = try ReactorThread(waitPolicy: .eventDriven)
    let gate = gate
    let handle = control.handle
    let table = RPCMethodTable([
      RPCMethod(
        "echo",
        decode: { parameters throws(RPCParameterError) in
          defer { parameters.skip() }
          return try parameters.optional("value", as: JSONValue.self) ?? .null
        }, body: { value in value }),
      RPCMethod("wait") {
        await gate.pass()
        return "waited"
      },
      // Leaves the reactor's thread on its way.
      RPCMethod("wander") {
        await Task.detached {}.value
        return .bool(handle.isCurrentThread)
      },
      RPCMethod("large") { .string(Self.largeText) },
      RPCMethod("kept", decode: { _ in }, result: { _ in .text(Array("\"\(Self.largeText)\"".utf8)) }),
    ])
    dispatcher = RPCDispatcher(
      table: table, logger: DaemonLog(descriptor: -1).logger(.rpc), phase: { .runTime })
    let (path, dispatcher, server) = (path, dispatcher, server)
    try await control.handle.perform { reactor in
      server.server = try RPCServer(
        reactor: reactor, path: path, dispatcher: dispatcher, limits: limits, budget: budget)
      server.server?.serve()
    }
  }

  var clientCount: Int {
    get async throws {
      let server = server
      return try await control.handle.perform { _ in server.server?.clientCount ?? 0 }
    }
  }

  /// Calls that are being carried out.
  var callCount: Int {
    get async throws {
      let server = server
      return try await control.handle.perform { _ in server.server?.budget.callCount ?? 0 }
    }
  }

  /// Of requests that are incomplete, and of replies that wait.
  var clientByteCount: Int {
    get async throws {
      let server = server
      return try await control.handle.perform { _ in server.server?.budget.clientByteCount ?? 0 }
    }
  }

  /// Sources that live on the reactor.
  var sourceCount: Int { get async throws { try await control.handle.perform { $0.sourceCount } } }

  func close() async {
    let server = server
    await withCheckedContinuation { continuation in
      control.handle.post { _ in server.server?.close { continuation.resume() } }
    }
  }
}

/// A client. Sending blocks the caller's thread, waiting does not.
final class RPCPeer {
  let descriptor: Int32
  private var received: [UInt8] = []
  /// So much of it has no line's end in it.
  private var searchedCount = 0

  init(_ bed: RPCBed) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    // A test that waits for what never comes fails instead of hanging.
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let address = SocketAddress(unixPath: bed.path)!
    guard address.withSocketAddress({ connect(descriptor, $0, $1) }) == 0 else {
      throw RingError.systemCall(name: "connect", errno: errno)
    }
  }

  deinit { Glibc.close(descriptor) }

  func send(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// The next line; nil at the end.
  func line() async throws -> String? {
    while true {
      if let end = received[searchedCount...].firstIndex(of: UInt8(ascii: "\n")) {
        searchedCount = 0
        defer { received.removeFirst(end + 1) }
        return String(decoding: received[..<end], as: UTF8.self)
      }
      searchedCount = received.count
      let descriptor = descriptor
      let more = try await onThread { try Self.receive(descriptor) }
      if more.isEmpty { return nil }
      received += more
    }
  }

  /// What comes next; empty at the end.
  private static func receive(_ descriptor: Int32) throws -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count >= 0 { return Array(buffer[..<count]) }
      switch errno {
      // A ring that ends interrupts every thread that ever used it, and with a time-out that ends the call.
      case EINTR: continue
      case EAGAIN: throw NeverHappened()
      default: return []
      }
    }
  }

  func reply() async throws -> JSONValue? { try await line().flatMap { try? JSONParser.value(of: $0) } }
}
