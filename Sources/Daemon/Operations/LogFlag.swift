/// A part of the daemon whose debug messages can be had by themselves, whatever the level.
public enum LogFlag: String, Sendable, CaseIterable {
  case bdev
  case bdevNVMe = "bdev_nvme"
  case configuration = "app_config"
  case keyring
  case nbd
  case nvme
  case metrics
  case rpc

  var bit: UInt64 { 1 << UInt64(Self.allCases.firstIndex(of: self)!) }
}
