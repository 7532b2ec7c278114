internal import BlockDevice
internal import JSONRPC
internal import Synchronization

/// All block devices as text, which is made anew only when something has changed. Any thread may call.
final class DeviceList: Sendable {
  private struct Made {
    var revision: Revision
    var text: [UInt8]
  }

  private let registry: DeviceRegistry
  private let latest = Mutex<Made?>(nil)

  init(of registry: DeviceRegistry) { self.registry = registry }

  /// As an array of JSON.
  var text: [UInt8] {
    let revision = Revision.current
    if let text = latest.withLock({ $0?.revision == revision ? $0?.text : nil }) { return text }
    // What changes from here on moves the revision on.
    let text = JSONWriter.bytes(of: .array(registry.devices.map { .object(DeviceText.members(of: $0)) }))
    latest.withLock { $0 = Made(revision: revision, text: text) }
    return text
  }
}
