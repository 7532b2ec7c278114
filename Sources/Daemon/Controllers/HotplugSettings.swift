/// What `bdev_nvme_set_hotplug` sets. It is about PCIe, and of no consequence here; clients set it all the same.
package struct HotplugSettings: Sendable, Hashable {
  package var isEnabled = false
  package var periodMicroseconds: UInt64 = 100_000

  static let maximumPeriodMicroseconds: UInt64 = 10_000_000

  package init() {}
}
