import Testing

@testable import Daemon

struct NotificationsTests {
  @Test func theLatestAreKeptUnderTheirNumbers() {
    let notifications = Notifications()
    #expect(notifications.events(from: 0, maximumCount: .max).isEmpty)
    let total = UInt64(Notifications.capacity) * 2 + 100
    for number in 0..<total { notifications.post(.deviceRegistered, "d\(number)") }
    let all = notifications.events(from: 0, maximumCount: .max)
    #expect(all.map(\.number) == Array((total - UInt64(Notifications.capacity))..<total))
    #expect(all.allSatisfy { $0.context == "d\($0.number)" })
    #expect(notifications.events(from: total - 3, maximumCount: 2).map(\.number) == [total - 3, total - 2])
    #expect(notifications.events(from: total, maximumCount: .max).isEmpty)
    #expect(notifications.events(from: .max, maximumCount: .max).isEmpty)
    #expect(notifications.events(from: 5, maximumCount: 0).isEmpty)
  }
}
