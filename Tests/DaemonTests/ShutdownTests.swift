import BlockDevice
import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import NBDServer
import RingReactor
import Synchronization
import TestSupport
import Testing

/// How all of it ends.
@Suite(.serialized) struct ShutdownTests {
  /// A target that leaves a client's read unanswered, with no I/O time-out to end it: the exports wait for the device, and
  /// the device for its controller, which is ended all the same.
  @Test func theEndDoesNotWaitForATargetForEver() async throws {
    let target = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: NVMeBed.nqn)
    subsystem.namespaces = [1: .memory(byteCount: 1 << 22)]
    try await target.addSubsystem(subsystem)
    let port = try await target.addPort()
    let threads = try ["control", "io_0"].map { try ReactorThread(name: $0) }
    var configuration = NBDServerConfiguration()
    configuration.endTimeoutMilliseconds = 50
    configuration.drainTimeoutMilliseconds = 50
    let service = Service(
      control: threads[0].handle, reactors: [threads[1].handle],
      identity: HostIdentity(hostNQN: NVMeBed.hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2)),
      nbdConfiguration: configuration, log: DaemonLog(descriptor: -1))
    #expect(await service.start())
    _ = try await service.table.call(
      "bdev_nvme_attach_controller",
      [
        "name": "Nvme0", "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1",
        "trsvcid": .string(String(port.port)), "subnqn": .string(NVMeBed.nqn),
      ], in: .runTime)
    let path = "/tmp/swift-nvmeof-shutdown-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    try await service.exports.startDisk(device: "Nvme0n1", path: path)
    let read = try await target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer))
    let client = try connectAndRead(path)
    try await eventually { try await target.faultCount(read) == 1 }
    let hasEnded = Atomic(false)
    let end = Task {
      await service.shutDown()
      hasEnded.store(true, ordering: .releasing)
    }
    try await eventually { hasEnded.load(ordering: .acquiring) }
    await end.value
    close(client)
    await target.stop()
    for thread in threads { thread.stop() }
  }

  /// Asks a server for its default export and a block of that, in one piece. Returns the socket.
  private func connectAndRead(_ path: String) throws -> Int32 {
    func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
      withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
    let address = try #require(SocketAddress(unixPath: path))
    let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue), 0)
    try #require(address.withSocketAddress { connect(descriptor, $0, $1) } == 0)
    // Flags; NBD_OPT_EXPORT_NAME without a name.
    let negotiation = bytes(3 as UInt32) + Array("IHAVEOPT".utf8) + bytes(1 as UInt32) + bytes(0 as UInt32)
    // NBD_CMD_READ
    let request =
      bytes(0x2560_9513 as UInt32) + [0, 0, 0, 0] + bytes(1 as UInt64) + bytes(0 as UInt64) + bytes(4096 as UInt32)
    let all = negotiation + request
    try #require(send(descriptor, all, all.count, Int32(MSG_NOSIGNAL)) == all.count)
    return descriptor
  }
}
