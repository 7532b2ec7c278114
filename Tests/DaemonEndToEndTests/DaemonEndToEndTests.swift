import Foundation
import NvmetGuest
import Testing

/// The daemon where it is meant to be: Linux nvmet on two ports on one side, a virtual machine that runs from the export on
/// the other.
@Suite(
  "nvmeofd between Linux nvmet and a virtual machine", .serialized,
  .enabled(if: NvmetAvailability.isRequiredOrPresent))
struct DaemonEndToEndTests {
  /// Writes files and notes their checksums, round after round, until told to stop. A round that fails ends it.
  private static let workload = """
    cat >/root/work <<'SCRIPT'
    round=0
    while [ ! -e /tmp/stop ]; do
      file=/root/file.$((round % 6))
      head -c 1048576 /dev/urandom >/tmp/content
      sum=$(md5sum </tmp/content)
      if ! dd if=/tmp/content of=$file bs=64k conv=fsync 2>/tmp/error; then cp /tmp/error /tmp/failed; break; fi
      echo "${sum%% *}  $file" >/tmp/sum.$((round % 6))
      round=$((round + 1))
      echo $round >/tmp/rounds
    done
    touch /tmp/stopped
    SCRIPT
    setsid sh /root/work </dev/null >/dev/null 2>&1 &
    """

  @Test("paths go and come back, the target reboots: nothing is noticed; beyond the timers there is an honest error")
  func machineOnAnExport() async throws {
    let target = try await NvmetGuest.start()
    let daemon = try RunningDaemon()
    do {
      try await play(target, daemon)
    } catch {
      Issue.record("\(error)\n--- nvmeofd ---\n\(daemon.log)\n--- target ---\n\(target.consoleTail)")
    }
  }

  private func play(_ target: NvmetGuest, _ daemon: RunningDaemon) async throws {
    let subsystem = NvmetGuest.openSubsystem
    try attach(daemon, target, name: "Nvme0", fastFailSeconds: 150, lossSeconds: 300)
    try attach(daemon, target, name: "Short0", fastFailSeconds: 3, lossSeconds: 300)
    let disks = try ["Nvme0n4", "Short0n3"].map { name in
      let path = "\(daemon.directory)/\(name).sock"
      try daemon.call("nbd_start_disk", ["bdev_name": name, "nbd_device": path])
      return NvmetGuestDisk(socketPath: path, exportName: name)
    }

    // A system is put on the export by one machine, and runs on another.
    var options = NvmetGuestOptions()
    options.hasDefaultConfiguration = false
    options.guestPorts = []
    options.memoryMebibytes = 512
    options.disks = disks
    let installer = try await NvmetGuest.start(options)
    try await installer.run("install-root /dev/vdb", deadline: .seconds(240))
    installer.stop()
    options.rootDisk = "vdb"
    let machine = try await NvmetGuest.start(options)
    #expect(try await machine.run("grep -c ' / ext4 ' /proc/mounts") == "1\n")
    try await machine.run(Self.workload)
    try await awaitRounds(machine, "at rest")

    for port in [1, 2] {
      try await target.setSubsystem(subsystem, isLinked: false, port: port)
      try await awaitRounds(machine, "port \(port) gone")
      try await target.setSubsystem(subsystem, isLinked: true, port: port)
      try await awaitPaths(daemon, connectedCount: 2)
    }
    for port in [1, 2] {
      try await target.setAnaState(.inaccessible, group: 1, port: port)
      try await awaitRounds(machine, "port \(port) inaccessible")
      try await target.setAnaState(.optimized, group: 1, port: port)
    }

    // The cable is pulled: what has short timers fails, and says so; what has long ones waits.
    try await target.setLink(isUp: false)
    let failure = try await machine.run(
      "dd if=/dev/zero of=/dev/vdc bs=4k count=1 oflag=direct 2>&1 && echo WRITTEN || true", deadline: .seconds(120))
    #expect(failure.contains("rror") && !failure.contains("WRITTEN"), "\(failure)")
    #expect(try await machine.run("ls /tmp/failed /tmp/stopped 2>/dev/null || true") == "")
    try await target.setLink(isUp: true)
    try await awaitPaths(daemon, connectedCount: 2)
    try await awaitRounds(machine, "cable back")

    try await target.restart()
    try await awaitPaths(daemon, connectedCount: 2)
    try await awaitRounds(machine, "target rebooted")

    // Everything acknowledged is there, and the file system is whole.
    try await machine.run("touch /tmp/stop; until [ -e /tmp/stopped ]; do sleep 0.2; done", deadline: .seconds(120))
    #expect(try await machine.run("cat /tmp/failed 2>/dev/null || true") == "")
    try await machine.run("sync; echo 3 >/proc/sys/vm/drop_caches")
    let checked = try await machine.run("cat /tmp/sum.* | md5sum -c 2>&1")
    #expect(checked.split(separator: "\n").count == 6 && !checked.contains("FAILED"), "\(checked)")
    #expect(try await machine.run("dmesg | grep -c 'vdb.*error\\|error.*vdb' || true") == "0\n")
    try await machine.run("mount -o remount,ro / && /bin/e2fsck -fn /dev/vdb", deadline: .seconds(120))
    machine.stop()
    #expect(daemon.terminate() == 0)
  }

  /// Attaches a subsystem by both its ports.
  private func attach(
    _ daemon: RunningDaemon, _ target: NvmetGuest, name: String, fastFailSeconds: Int, lossSeconds: Int
  ) throws {
    for port: UInt16 in [4420, 4421] {
      let devices = try daemon.call(
        "bdev_nvme_attach_controller",
        [
          "name": name, "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1", "trsvcid": "\(target.port(port))",
          "subnqn": NvmetGuest.openSubsystem, "hostnqn": "nqn.2026-11.io.nvmeof.test:\(name.lowercased())",
          "multipath": "multipath", "ctrlr_loss_timeout_sec": lossSeconds, "reconnect_delay_sec": 1,
          "fast_io_fail_timeout_sec": fastFailSeconds,
        ])
      #expect(devices as? [String] == (1...4).map { "\(name)n\($0)" })
    }
  }

  /// Waits until the machine has written three files more.
  private func awaitRounds(_ machine: NvmetGuest, _ situation: String) async throws {
    let script = """
      first=$(cat /tmp/rounds 2>/dev/null || echo 0)
      for wait in $(seq 600); do
        [ -e /tmp/failed ] && { cat /tmp/failed; exit 1; }
        [ $(($(cat /tmp/rounds 2>/dev/null || echo 0) - first)) -ge 3 ] && exit 0
        sleep 0.2
      done
      echo "no progress: $(cat /tmp/rounds)"; exit 1
      """
    do {
      try await machine.run(script, deadline: .seconds(180))
    } catch {
      throw RunningDaemon.Failure(description: "\(situation): \(error)")
    }
  }

  /// Does what an agent does: Linux refuses those who come too early, before a subsystem is on its port again, with Do Not
  /// Retry, and then nobody tries again unasked.
  private func resetFailedControllers(_ daemon: RunningDaemon) throws {
    let sets = try daemon.call("bdev_nvme_get_controllers") as? [[String: Any]] ?? []
    for set in sets {
      for controller in set["ctrlrs"] as? [[String: Any]] ?? [] where controller["state"] as? String == "failed" {
        guard let name = set["name"] as? String, let identifier = controller["cntlid"] as? Int else { continue }
        _ = try? daemon.call("bdev_nvme_reset_controller", ["name": name, "cntlid": identifier])
      }
    }
  }

  /// Waits until so many paths of the machine's disk are connected.
  private func awaitPaths(_ daemon: RunningDaemon, connectedCount: Int) async throws {
    var last: Any = 0
    for _ in 0..<600 {
      try resetFailedControllers(daemon)
      last = try daemon.call("bdev_nvme_get_io_paths", ["name": "Nvme0n4"])
      let groups = (last as? [String: Any])?["poll_groups"] as? [[String: Any]] ?? []
      let paths = groups.flatMap { $0["io_paths"] as? [[String: Any]] ?? [] }
      if paths.filter({ $0["connected"] as? Bool == true }).count == connectedCount { return }
      try await Task.sleep(for: .milliseconds(200))
    }
    throw RunningDaemon.Failure(description: "\(connectedCount) connected paths never came: \(last)")
  }
}
