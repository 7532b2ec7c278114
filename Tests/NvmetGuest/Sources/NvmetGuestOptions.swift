/// How to start a guest.
public struct NvmetGuestOptions: Sendable {
  /// The guest's TCP ports that are reachable from the host. A port listens once nvmet has one there.
  public var guestPorts: [UInt16] = [4420, 4421, 4422, 8009]

  /// The guest's memory in MiB; block devices live in it.
  public var memoryMebibytes = 768

  /// Whether nvmet starts with the default configuration (see ``NvmetGuest``).
  public var hasDefaultConfiguration = true

  /// Disks beside the guest's own /dev/vda: /dev/vdb, /dev/vdc…, each an export of an NBD server on a Unix-domain socket.
  public var disks: [NvmetGuestDisk] = []

  /// The disk that `install-root` has made and the guest is to run from ("vdb"); it is no target then. nil: from memory.
  public var rootDisk: String?

  /// How long the guest may take from launch to the first answered ICReq. Emulated on a busy machine it takes a
  /// multiple of its usual four seconds.
  public var startDeadline = Duration.seconds(180)

  public init() {}
}
