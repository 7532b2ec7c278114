// What tests change about the target while they use it, through nvmet's configfs. Names that come from a caller are
// quoted; the functions called are those of guest-root/sbin/nvmet-functions.
extension NvmetGuest {
  // MARK: Subsystems and hosts

  /// Makes a subsystem and shows it on ports of the target.
  /// - Parameter ports: nvmet's port numbers: 1 is guest port 4420, 2 is 4421, 3 is 8009.
  /// - Throws: ``NvmetGuestError``, as all methods here.
  public func createSubsystem(
    _ nqn: String, serial: String, allowsAnyHost: Bool = true, ports: [Int] = [1]
  ) async throws {
    var script = "subsystem \(quote(nqn)) \(quote(serial))\n"
    if !allowsAnyHost { script += "put 0 $nvmet/subsystems/\(quote(nqn))/attr_allow_any_host\n" }
    for port in ports { script += "link \(port) \(quote(nqn))\n" }
    try await run(script)
  }

  /// Makes `count` subsystems named `prefix` and a number from 1, without namespaces, on one port: for discovery.
  public func createSubsystems(prefix: String, count: Int, port: Int = 1) async throws {
    try await run(
      """
      i=1
      while [ $i -le \(count) ]; do
        subsystem \(quote(prefix))$i MANY$i
        link \(port) \(quote(prefix))$i
        i=$((i + 1))
      done
      """, deadline: .seconds(120))
  }

  /// Removes every subsystem whose name begins with `prefix`.
  public func removeSubsystems(prefix: String) async throws {
    try await run(
      """
      for directory in $nvmet/subsystems/\(quote(prefix))*; do
        [ ! -d "$directory" ] || remove_subsystem "${directory##*/}"
      done
      """, deadline: .seconds(120))
  }

  /// Removes a subsystem with its namespaces; its connections are dropped.
  public func removeSubsystem(_ nqn: String) async throws {
    try await run("remove_subsystem \(quote(nqn))")
  }

  /// Lets a host connect to a subsystem that does not admit every host.
  public func allowHost(_ hostNQN: String, subsystem: String) async throws {
    try await run(
      """
      mkdir -p $nvmet/hosts/\(quote(hostNQN))
      ln -s $nvmet/hosts/\(quote(hostNQN)) $nvmet/subsystems/\(quote(subsystem))/allowed_hosts/\(quote(hostNQN))
      """)
  }

  /// Takes the permission back; what is connected stays so.
  public func disallowHost(_ hostNQN: String, subsystem: String) async throws {
    try await run(
      """
      rm $nvmet/subsystems/\(quote(subsystem))/allowed_hosts/\(quote(hostNQN))
      rmdir $nvmet/hosts/\(quote(hostNQN))
      """)
  }

  // MARK: Namespaces

  /// Adds and enables a namespace.
  /// - Returns: the path of its device or file in the guest.
  @discardableResult
  public func addNamespace(
    _ identifier: UInt32, to subsystem: String, device: NvmetBackingDevice, uuid: String? = nil, anaGroup: Int = 1
  ) async throws -> String {
    let path: String
    var script: String
    var isBuffered = false
    switch device {
    case .null(let name, let mebibytes, let blockSize):
      path = "/dev/\(name)"
      script = "null_device \(quote(name)) \(mebibytes) \(blockSize) >/dev/null\n"
    case .file(let name, let bytes):
      path = "/tmp/files/\(name)"
      script = "truncate -s \(bytes) \(quote(path))\n"
      isBuffered = true
    case .path(let existing):
      path = existing
      script = ""
    }
    let uuid = uuid ?? "b0000000-0000-4000-8000-\(hexadecimal(identifier, digits: 12))"
    script += "namespace \(quote(subsystem)) \(identifier) \(quote(path)) \(uuid) \(anaGroup) \(isBuffered ? "1" : "")"
    try await run(script)
    return path
  }

  /// Disables and removes a namespace.
  public func removeNamespace(_ identifier: UInt32, from subsystem: String) async throws {
    let directory = namespacePath(identifier, subsystem)
    try await run("put 0 \(directory)/enable\nrmdir \(directory)")
  }

  /// Disables a namespace, as if it were gone, or enables it again.
  public func setNamespace(_ identifier: UInt32, of subsystem: String, isEnabled: Bool) async throws {
    try await run("put \(isEnabled ? 1 : 0) \(namespacePath(identifier, subsystem))/enable")
  }

  /// Gives a file-backed namespace another size and has nvmet tell its hosts.
  public func resizeNamespace(_ identifier: UInt32, of subsystem: String, file: String, bytes: Int) async throws {
    try await run(
      "truncate -s \(bytes) \(quote(file))\nput 1 \(namespacePath(identifier, subsystem))/revalidate_size")
  }

  /// Puts a namespace into another ANA group.
  public func setAnaGroup(_ group: Int, namespace identifier: UInt32, of subsystem: String) async throws {
    try await run("put \(group) \(namespacePath(identifier, subsystem))/ana_grpid")
  }

  /// Removes a null_blk device that no namespace uses any more.
  public func removeNullDevice(_ name: String) async throws {
    try await run("rmdir /sys/kernel/config/nullb/\(quote(name))")
  }

  // MARK: Ports and the network

  /// Sets the state of an ANA group on one port of the target.
  public func setAnaState(_ state: AnaState, group: Int, port: Int) async throws {
    try await run("put \(state.rawValue) $nvmet/ports/\(port)/ana_groups/\(group)/ana_state")
  }

  /// Shows a subsystem on a port, or takes it away, which drops its connections there.
  public func setSubsystem(_ nqn: String, isLinked: Bool, port: Int) async throws {
    try await run(isLinked ? "link \(port) \(quote(nqn))" : "unlink_ \(port) \(quote(nqn))")
  }

  /// Resets every connection to a port of the guest.
  public func killConnections(guestPort: UInt16) async throws {
    try await run("/bin/ss -K -t -n state established '( sport = :\(guestPort) )'")
  }

  /// What the guest sends from one of its TCP ports comes late, or not at all; nil ends that, for every port.
  public func setImpairment(_ impairment: NvmetImpairment?, guestPort: UInt16) async throws {
    switch impairment {
    case .loss: try await run("impair \(guestPort) loss 100%")
    case .delay(let milliseconds): try await run("impair \(guestPort) delay \(milliseconds)ms")
    case nil: try await run("/bin/tc qdisc del dev eth0 root 2>/dev/null || true")
    }
  }

  /// How many I/O queues controllers of a subsystem get, 1...128; its hosts are disconnected and have to come again.
  public func setQueueLimit(_ count: Int, of subsystem: String) async throws {
    try await run("put \(count) $nvmet/subsystems/\(quote(subsystem))/attr_qid_max")
  }

  /// Cuts the guest's network, without any reset to those connected, or restores it.
  public func setLink(isUp: Bool) async throws {
    try await run(
      isUp
        ? "/bin/ip link set eth0 up && /bin/ip route replace default via 10.0.2.2" : "/bin/ip link set eth0 down")
  }

  // MARK: What Linux sees on the device

  /// The CRC-32 (ISO 3309, as in zip files) of a range of a device as the guest's kernel reads it, past its page cache.
  /// - Parameter offset: in bytes, as `count` a multiple of the device's block size.
  public func checksum(of device: String, offset: Int, count: Int) async throws -> UInt32 {
    // The block size that dd reads in must not be larger than the remainder, so that count_bytes holds under O_DIRECT.
    let output = try await run(
      """
      set -o pipefail
      dd if=\(quote(device)) bs=\(Self.commonBlockSize(offset, count)) iflag=skip_bytes,count_bytes,direct \
      skip=\(offset) count=\(count) status=none | crc32
      """, deadline: .seconds(300))
    guard let checksum = UInt32(output.prefix { $0.isHexDigit }, radix: 16) else {
      throw NvmetGuestError.badReply(output)
    }
    return checksum
  }

  /// Writes bytes of a device from inside the guest. Busybox's dd may go through the page cache all the same, and nvmet,
  /// which keeps the device open, does not: hence the cache is written out and dropped.
  /// - Parameter offset: in bytes, a multiple of the device's block size, as the number of bytes.
  public func fill(_ device: String, offset: Int, count: Int, with byte: UInt8) async throws {
    try await run(
      """
      head -c \(count) /dev/zero | tr '\\000' '\\\(octal(byte))' |
        dd of=\(quote(device)) bs=\(Self.commonBlockSize(offset, count)) iflag=fullblock oflag=seek_bytes,direct \
        conv=notrunc,fsync seek=\(offset) status=none || exit
      echo 1 >/proc/sys/vm/drop_caches
      """, deadline: .seconds(300))
  }

  // MARK: Helpers

  /// The largest power of two up to 1 MiB that divides both.
  private static func commonBlockSize(_ offset: Int, _ count: Int) -> Int {
    min(1 << 20, 1 << min((offset | count).trailingZeroBitCount, 20))
  }

  private func namespacePath(_ identifier: UInt32, _ subsystem: String) -> String {
    "$nvmet/subsystems/\(quote(subsystem))/namespaces/\(identifier)"
  }

  /// One word for the shell, whatever is in it.
  private func quote(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }

  private func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  private func octal(_ value: UInt8) -> String {
    let text = String(value, radix: 8)
    return String(repeating: "0", count: 3 - text.count) + text
  }
}
