import BlockDevice
import EmbeddedTarget
import Glibc
import TestSupport
import Testing

@Suite("Target and host over loopback")
struct LoopbackTests {
  @Test("connects, reads what it wrote, and says goodbye")
  func smoke() async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected()
    let data = pattern(128 * 1024, seed: 1)
    try await device.write(at: 7, data)
    #expect(isEqual(try await device.read(at: 7, blockCount: 256)[...], data[...]))
    let inside = try await fixture.target.readNamespace(1, of: TargetFixture.nqn, offset: 7 * 512, byteCount: 131_072)
    #expect(isEqual(inside[...], data[...]))
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a load of small reads holds the receive buffer, a large one lets it go, and data is right all along")
  func receiveBuffer() async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected()
    let data = pattern(128 * 1024, seed: 2)
    try await device.write(at: 0, data)
    for _ in 0..<2 {
      var count = 0
      while heldReceiveBuffers().isEmpty, count < 10_000 {
        let place = count % 32
        let block = try await device.read(at: UInt64(place * 8), blockCount: 8)
        #expect(isEqual(block[...], data[place * 4096..<(place + 1) * 4096]))
        count += 1
      }
      // What was asked for, doubled by the kernel.
      #expect(heldReceiveBuffers() == [2 * 128 * 1024], "after \(count) reads")
      #expect(isEqual(try await device.read(at: 0, blockCount: 256)[...], data[...]))
      #expect(heldReceiveBuffers().isEmpty)
      // It grows again.
      for _ in 0..<64 { #expect(isEqual(try await device.read(at: 0, blockCount: 256)[...], data[...])) }
    }
    await controller.disconnect()
    await fixture.stop()
  }

  /// The sizes of this process's receive buffers that the kernel is not to change.
  private func heldReceiveBuffers() -> [Int32] {
    (0..<1024).compactMap { descriptor in
      var (locks, size, length) = (Int32(0), Int32(0), socklen_t(4))
      // SO_BUF_LOCK, SOCK_RCVBUF_LOCK
      guard getsockopt(Int32(descriptor), SOL_SOCKET, 72, &locks, &length) == 0, locks & 2 != 0 else { return nil }
      return getsockopt(Int32(descriptor), SOL_SOCKET, SO_RCVBUF, &size, &length) == 0 ? size : nil
    }
  }
}
