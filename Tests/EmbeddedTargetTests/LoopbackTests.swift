import BlockDevice
import EmbeddedTarget
import Testing

@Suite("Target and host over loopback")
struct LoopbackTests {
  @Test("connects, reads what it wrote, and says goodbye")
  func smoke() async throws {
    let fixture = try await TargetFixture.make()
    let controller = fixture.controller()
    controller.connect()
    try await controller.ready()
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    let data = pattern(128 * 1024, seed: 1)
    try await device.write(at: 7, data)
    #expect(isEqual(try await device.read(at: 7, blockCount: 256)[...], data[...]))
    let inside = try await fixture.target.readNamespace(1, of: TargetFixture.nqn, offset: 7 * 512, byteCount: 131_072)
    #expect(isEqual(inside[...], data[...]))
    await controller.disconnect()
    await fixture.stop()
  }
}
