/// What a namespace of the guest stores its blocks in. All of it is the guest's memory, allocated as it is written.
public enum NvmetBackingDevice: Sendable {
  /// A null_blk device of this name; it is made by the guest, and goes with ``NvmetGuest/removeNullDevice(_:)``.
  case null(name: String, mebibytes: Int, blockSize: Int)
  /// A file of this name in a RAM file system, which nvmet presents in 4096-byte blocks; it can be resized.
  case file(name: String, bytes: Int)
  /// A device that is there already, by its path in the guest.
  case path(String)
}
