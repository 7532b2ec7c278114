public import NVMeProtocol

/// Who we are to a controller: NQN and host identifier belong together and stay the same over restarts, as targets
/// keep allow lists and reservations by them.
public struct HostIdentity: Hashable, Sendable {
  public var hostNQN: String
  public var hostIdentifier: Identifier128

  public init(hostNQN: String, hostIdentifier: Identifier128) {
    self.hostNQN = hostNQN
    self.hostIdentifier = hostIdentifier
  }

  /// A new one: a random UUID, and the NQN made from it.
  public static func random() -> HostIdentity {
    var generator = SystemRandomNumberGenerator()
    // RFC 9562, section 5.4: version 4 and the variant bits.
    let high = generator.next() & ~0xF000 | 0x4000
    let low = generator.next() & ~(0b11 << 62) | 0b10 << 62
    return HostIdentity(uuid: Identifier128(high: high, low: low))
  }

  init(uuid: Identifier128) {
    self.init(hostNQN: NVMeQualifiedName.name(uuid: uuid), hostIdentifier: uuid)
  }

  /// The identity to use: what is given; else the system's (`hostnqn` and `hostid` in `systemDirectory`); else the one
  /// kept in `file`, which is made on first use.
  ///
  /// Of an NQN that is given alone, the identifier is the UUID in it, or else that of the system or file. Of an
  /// identifier that is given alone, the NQN is made from it.
  ///
  /// Reads and writes files: not for a reactor's thread.
  ///
  /// - Parameters:
  ///   - file: where the identity is kept; nil: `$XDG_CONFIG_HOME/nvmeof/host` or `~/.config/nvmeof/host`.
  ///   - systemDirectory: nil: do not look there.
  /// - Throws: ``HostIdentityError``, which names the file.
  public static func resolve(
    hostNQN: String? = nil, hostIdentifier: Identifier128? = nil, file: String? = nil,
    systemDirectory: String? = "/etc/nvme"
  ) throws(HostIdentityError) -> HostIdentity {
    if let hostNQN, let problem = NVMeQualifiedName.problem(with: hostNQN) {
      throw .invalidName(hostNQN, problem: problem)
    }
    // Controllers refuse an all-zero host identifier (NVMe Base 2.1, section 5.1.25.1.28).
    if let hostIdentifier, hostIdentifier.isZero { throw .invalidIdentifier("0") }
    switch (hostNQN, hostIdentifier ?? hostNQN.flatMap(NVMeQualifiedName.uuid(of:))) {
    case (let name?, let identifier?): return HostIdentity(hostNQN: name, hostIdentifier: identifier)
    case (nil, let identifier?): return HostIdentity(uuid: identifier)
    case (let name?, nil):
      let kept = try kept(file: file, systemDirectory: systemDirectory)
      return HostIdentity(hostNQN: name, hostIdentifier: kept.hostIdentifier)
    case (nil, nil): return try kept(file: file, systemDirectory: systemDirectory)
    }
  }

  private static func kept(file: String?, systemDirectory: String?) throws(HostIdentityError) -> HostIdentity {
    if let systemDirectory, let system = try HostIdentityFile.system(directory: systemDirectory) { return system }
    return try HostIdentityFile(path: file).loadOrCreate()
  }
}
