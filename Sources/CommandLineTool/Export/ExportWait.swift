import ArgumentParser
import BlockDevice

/// `--wait` of `nvmeof export`.
enum ExportWait: String, ExpressibleByArgument, CaseIterable, Sendable {
  case adaptive
  case eventDriven = "event-driven"
  case busyPolling = "busy-polling"

  var policy: WaitPolicy {
    switch self {
    case .adaptive: .adaptive
    case .eventDriven: .eventDriven
    case .busyPolling: .busyPolling
    }
  }
}
