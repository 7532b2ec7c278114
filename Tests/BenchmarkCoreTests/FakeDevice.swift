@testable import BenchmarkCore

/// A disk in memory on virtual time, with the faults that tests plan.
final class FakeDevice {
  struct Issued: Equatable {
    var operation: ChannelOperation
    var offset: UInt64
    var byteCount: UInt32
    /// Virtual time of the submission.
    var at: UInt64
    var forceUnitAccess: Bool
  }

  struct InFlight {
    var token: UInt32
    var doneAt: UInt64
    var isSuccess: Bool
  }

  let time: VirtualTime
  var storage: [UInt8]
  var issued: [Issued] = []
  var inFlight: [InFlight] = []
  var mostInFlight = 0
  var pollsWithoutWaiting = 0
  /// Service time of an I/O, by its number.
  var service: (Int, ChannelCommand) -> UInt64 = { _, _ in 10_000 }
  /// Whether an I/O, by its number, fails.
  var fails: (Int, ChannelCommand) -> Bool = { _, _ in false }
  /// Whether an I/O is refused at once.
  var refuses: (Int, ChannelCommand) -> Bool = { _, _ in false }
  /// What becomes of a write's target offset; nil drops the write.
  var redirect: (Int, UInt64) -> UInt64? = { $1 }
  /// Called after each I/O took effect, to damage something.
  var damage: (Int, FakeDevice) -> Void = { _, _ in }
  /// How often to answer busy before each acceptance.
  var busyTimes = 0
  var busyLeft = 0
  /// I/Os that never complete.
  var loses: (Int) -> Bool = { _ in false }

  init(byteCount: Int, time: VirtualTime = VirtualTime()) {
    storage = [UInt8](repeating: 0, count: byteCount)
    self.time = time
  }

  func take(_ command: ChannelCommand) -> ChannelSubmission {
    if busyLeft > 0 {
      busyLeft -= 1
      return .busy
    }
    busyLeft = busyTimes
    let number = issued.count
    issued.append(
      Issued(
        operation: command.operation, offset: command.offset, byteCount: command.byteCount, at: time.now,
        forceUnitAccess: command.forceUnitAccess))
    if refuses(number, command) { return .refused }
    let isSuccess = !fails(number, command)
    let start = Int(command.offset)
    let count = Int(command.byteCount)
    if isSuccess {
      switch command.operation {
      case .read:
        storage.withUnsafeBytes { command.buffer.copyMemory(from: $0.baseAddress! + start, byteCount: count) }
      case .write:
        if let target = redirect(number, command.offset) {
          storage.withUnsafeMutableBytes {
            ($0.baseAddress! + Int(target)).copyMemory(from: command.buffer, byteCount: count)
          }
        }
      case .trim:
        for index in start..<start + count { storage[index] = 0 }
      case .flush:
        break
      }
      damage(number, self)
    }
    let doneAt = loses(number) ? UInt64.max : time.now + service(number, command)
    inFlight.append(InFlight(token: command.token, doneAt: doneAt, isSuccess: isSuccess))
    mostInFlight = max(mostInFlight, inFlight.count)
    return .accepted
  }

  func collect(_ completions: UnsafeMutableBufferPointer<ChannelCompletion>, _ wait: UInt64) -> Int {
    if wait == 0 { pollsWithoutWaiting += 1 }
    func ready() -> Bool { inFlight.contains { $0.doneAt <= time.now } }
    if !ready() {
      let next = inFlight.map(\.doneAt).min() ?? UInt64.max
      let limit = time.now + max(wait, 100)
      time.now = min(next, limit)
    }
    var count = 0
    while count < completions.count, let index = inFlight.firstIndex(where: { $0.doneAt <= time.now }) {
      let done = inFlight.remove(at: index)
      completions[count] = ChannelCompletion(token: done.token, isSuccess: done.isSuccess)
      count += 1
    }
    return count
  }
}

struct FakeChannel: BenchmarkChannel, ~Copyable {
  let device: FakeDevice

  mutating func submit(_ command: ChannelCommand) -> ChannelSubmission { device.take(command) }

  mutating func poll(
    into completions: UnsafeMutableBufferPointer<ChannelCompletion>, waitNanoseconds: UInt64
  ) -> Int { device.collect(completions, waitNanoseconds) }

  func failureDescription() -> String { "planned failure" }
}
