internal import BlockDevice

extension World {
  func execute(_ index: Int) {
    let command = commands[index]
    guard !command.isDropped, !command.isExecuted else { return }
    if command.isUnsent {
      // It is sent at last, if the connection is still there.
      guard !command.hasEnded else { return }
      commands[index].isUnsent = false
    }
    let path = paths[command.path]
    // What is left over when its connection is lost may be executed all the same.
    if !command.hasEnded && path.ignores(isWrite: command.isWrite) { return }
    commands[index].isExecuted = true
    var status = StatusField.success
    if !command.hasEnded {
      status = path.obstacle ?? .success
      if status.isSuccess && chance(path.errorProbability) {
        status = StatusField(
          .generic, 0x21, commandRetryDelay: UInt8.random(in: 0...3, using: &random), doNotRetry: chance(0.1))
      }
    }
    if status.isSuccess {
      if command.isWrite {
        if command.hasEnded { report.lateExecutionCount += 1 }
        disk.execute(command.value, at: command.block)
      } else {
        commands[index].value = disk.values[command.block]
      }
    }
    if !command.hasEnded {
      queue.schedule(.respond(command: index, status), in: milliseconds(chance(0.05) ? 0...500 : 0...3))
    }
  }

  func respond(_ index: Int, _ status: StatusField) throws(Violation) {
    let command = commands[index]
    // A controller that is not reached is not heard either.
    guard !command.hasEnded, paths[command.path].isReachable else { return }
    try complete(index, status.isSuccess ? .success : .deviceError, status)
  }
}
