import Foundation
import NvmetGuest
import Testing

/// The harness itself: a Linux target comes up, is changed, and goes.
@Suite("The nvmet guest", .serialized, .enabled(if: NvmetAvailability.isRequiredOrPresent))
struct NvmetGuestTests {
  @Test("boots, answers an ICReq, runs scripts and reports their failures")
  func bootsAndObeys() async throws {
    let guest = try await NvmetGuest.start()
    defer { guest.stop() }
    #expect(guest.kernelVersion.hasPrefix("6."))
    #expect(try await guest.run("uname -r") == guest.kernelVersion + "\n")
    #expect(try await guest.run("echo out; echo error >&2") == "out\nerror\n")
    await #expect(throws: NvmetGuestError.self) { try await guest.run("exit 3") }
    await #expect(throws: NvmetGuestError.self) { try await guest.run("sleep 100", deadline: .seconds(1)) }
    #expect(try await guest.run("echo still here") == "still here\n")

    // A pattern written on the Linux side has the checksum that zip programs give for it.
    try await guest.fill("/dev/nullb512", offset: 512, count: 1536, with: 0xA5)
    #expect(try await guest.checksum(of: "/dev/nullb512", offset: 512, count: 1536) == 0x0FB24C69)

    let nqn = "nqn.2026-01.io.nvmeof.guest:it's quoted"
    try await guest.createSubsystem(nqn, serial: "S1")
    let file = try await guest.addNamespace(7, to: nqn, device: .file(name: "seven", bytes: 1 << 20))
    try await guest.resizeNamespace(7, of: nqn, file: file, bytes: 2 << 20)
    try await guest.setNamespace(7, of: nqn, isEnabled: false)
    try await guest.removeNamespace(7, from: nqn)
    try await guest.addNamespace(8, to: nqn, device: .null(name: "eight", mebibytes: 1, blockSize: 4096))
    try await guest.removeSubsystem(nqn)
    try await guest.removeNullDevice("eight")
    try await guest.allowHost("nqn.2014-08.org.nvmexpress:uuid:x", subsystem: NvmetGuest.closedSubsystem)
    try await guest.disallowHost("nqn.2014-08.org.nvmexpress:uuid:x", subsystem: NvmetGuest.closedSubsystem)
    try await guest.createSubsystems(prefix: "nqn.many:", count: 5)
    try await guest.removeSubsystems(prefix: "nqn.many:")
    try await guest.setAnaState(.inaccessible, group: 2, port: 1)
    try await guest.setAnaState(.optimized, group: 2, port: 1)
    try await guest.setSubsystem(NvmetGuest.openSubsystem, isLinked: false, port: 2)
    try await guest.setSubsystem(NvmetGuest.openSubsystem, isLinked: true, port: 2)
    try await guest.killConnections(guestPort: 4420)
    try await guest.setImpairment(.delay(milliseconds: 10), guestPort: 4420)
    try await guest.setImpairment(.loss, guestPort: 4421)
    try await guest.setImpairment(nil, guestPort: 4420)
    try await guest.setQueueLimit(2, of: NvmetGuest.openSubsystem)
    try await guest.setQueueLimit(128, of: NvmetGuest.openSubsystem)
    try await guest.setLink(isUp: false)
    try await guest.setLink(isUp: true)
    try await guest.pause()
    try await guest.resume()
    #expect(try await guest.run("echo after") == "after\n")

    try await guest.fill("/dev/vda", offset: 4096, count: 4096, with: 0xA5)
    let checksum = try await guest.checksum(of: "/dev/vda", offset: 4096, count: 4096)
    try await guest.run("touch /tmp/before")
    try await guest.restart()
    #expect(try await guest.run("ls /tmp/before 2>/dev/null || echo gone") == "gone\n")
    #expect(try await guest.checksum(of: "/dev/vda", offset: 4096, count: 4096) == checksum)

    guest.stop()
    await #expect(throws: NvmetGuestError.self) { try await guest.run("true") }
  }
}
