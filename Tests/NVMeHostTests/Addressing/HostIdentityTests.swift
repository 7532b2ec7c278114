import Glibc
import NVMeHost
import NVMeProtocol
import Testing

@Suite struct HostIdentityTests {
  static let uuid = Identifier128("12345678-9abc-4def-8123-456789abcdef")!
  static let other = Identifier128("aaaaaaaa-9abc-4def-8123-456789abcdef")!

  /// In short.
  func resolve(_ file: String, system: String? = nil) throws -> HostIdentity {
    try HostIdentity.resolve(file: file, systemDirectory: system)
  }

  /// A directory of its own, removed afterwards.
  func withDirectory(_ body: (String) throws -> Void) throws {
    let path = try makeDirectory()
    defer { removeTree(path) }
    try body(path)
  }

  func makeDirectory() throws -> String {
    var template = Array("/tmp/nvmeof-identity-XXXXXX".utf8CString)
    let isMade = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
    try #require(isMade)
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  func removeTree(_ path: String) {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if unlink(path + "/" + name) != 0 { removeTree(path + "/" + name) }
    }
    closedir(directory)
    rmdir(path)
  }

  func write(_ text: String, _ path: String) {
    let file = fopen(path, "w")
    fputs(text, file)
    fclose(file)
  }

  @Test func madeOnceAndKept() throws {
    try withDirectory { (directory: String) throws in
      let file = directory + "/a/b/host"
      let first = try HostIdentity.resolve(file: file, systemDirectory: nil)
      #expect(first.hostNQN == NVMeQualifiedName.name(uuid: first.hostIdentifier))
      #expect(NVMeQualifiedName.isWellFormed(first.hostNQN))
      // Version 4 and the variant.
      #expect(first.hostIdentifier.high & 0xF000 == 0x4000 && first.hostIdentifier.low >> 62 == 0b10)
      #expect(try HostIdentity.resolve(file: file, systemDirectory: nil) == first)
      var status = stat()
      #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
      // Nothing is left beside it.
      var count = 0
      let listing = try #require(opendir(directory + "/a/b"))
      while readdir(listing) != nil { count += 1 }
      closedir(listing)
      #expect(count == 3)
    }
  }

  @Test func manyAtOnceAgree() async throws {
    let path = try makeDirectory()
    defer { removeTree(path) }
    let identities = try await withThrowingTaskGroup(of: HostIdentity.self) { group in
      for _ in 0..<32 { group.addTask { try HostIdentity.resolve(file: path + "/host", systemDirectory: nil) } }
      var all: Set<HostIdentity> = []
      for try await identity in group { all.insert(identity) }
      return all
    }
    #expect(identities.count == 1)
  }

  @Test func given() throws {
    try withDirectory { (directory: String) throws in
      let file = directory + "/host"
      let name = NVMeQualifiedName.name(uuid: Self.uuid)
      #expect(
        try HostIdentity.resolve(hostNQN: "nqn.x", hostIdentifier: Self.uuid, file: file)
          == HostIdentity(hostNQN: "nqn.x", hostIdentifier: Self.uuid))
      #expect(try HostIdentity.resolve(hostNQN: name, file: file).hostIdentifier == Self.uuid)
      #expect(try HostIdentity.resolve(hostIdentifier: Self.uuid, file: file).hostNQN == name)
      var status = stat()
      #expect(stat(file, &status) != 0)
      // A name without a UUID gets the kept identifier.
      let kept = try HostIdentity.resolve(file: file, systemDirectory: nil)
      let named = try HostIdentity.resolve(hostNQN: "nqn.2020-01.x:y", file: file, systemDirectory: nil)
      #expect(named == HostIdentity(hostNQN: "nqn.2020-01.x:y", hostIdentifier: kept.hostIdentifier))
      #expect(throws: HostIdentityError.self) { try HostIdentity.resolve(hostNQN: "a b", file: file) }
      #expect(throws: HostIdentityError.self) { try HostIdentity.resolve(hostIdentifier: Identifier128(), file: file) }
    }
  }

  @Test func system() throws {
    try withDirectory { (directory: String) throws in
      let file = directory + "/host"
      write("nqn.2020-01.x:y\n", directory + "/hostnqn")
      // Without hostid and without a UUID in the name it cannot be used: the own file is.
      #expect(try resolve(file, system: directory).hostNQN != "nqn.2020-01.x:y")
      write("\(Self.other.uuidString)\n", directory + "/hostid")
      #expect(
        try resolve(file, system: directory)
          == HostIdentity(hostNQN: "nqn.2020-01.x:y", hostIdentifier: Self.other))
      write("rubbish", directory + "/hostid")
      let error = #expect(throws: HostIdentityError.self) {
        try resolve(file, system: directory)
      }
      #expect(error?.description.contains(directory + "/hostid") == true)
      unlink(directory + "/hostid")
      write(NVMeQualifiedName.name(uuid: Self.uuid), directory + "/hostnqn")
      #expect(try resolve(file, system: directory).hostIdentifier == Self.uuid)
    }
  }

  @Test(arguments: [
    "", "hostnqn=nqn.x\n", "hostid=12345678-9abc-4def-8123-456789abcdef\n", "hostnqn=a b\n", "hello\n",
    "hostnqn=nqn.x\nhostid=1\n", "hostnqn=nqn.x\nhostid=00000000000000000000000000000000\n",
    String(repeating: "#", count: 5000),
  ])
  func malformed(text: String) throws {
    try withDirectory { (directory: String) throws in
      let file = directory + "/host"
      write(text, file)
      let error = #expect(throws: HostIdentityError.self) { try HostIdentity.resolve(file: file, systemDirectory: nil) }
      #expect(error?.description.contains(file) == true)
    }
  }

  @Test(arguments: ["\n", "\r\n"]) func comments(lineEnd: String) throws {
    try withDirectory { (directory: String) throws in
      let lines = ["# x", "", " hostid = \(Self.uuid.uuidString) ", "hostnqn=nqn.a=b", ""]
      write(lines.joined(separator: lineEnd), directory + "/host")
      #expect(
        try resolve(directory + "/host")
          == HostIdentity(hostNQN: "nqn.a=b", hostIdentifier: Self.uuid))
    }
  }

  @Test func impossiblePlaces() {
    for path in ["/proc/nvmeof/host", "/dev/null/x/host"] {
      let error = #expect(throws: HostIdentityError.self) { try HostIdentity.resolve(file: path, systemDirectory: nil) }
      #expect(error?.description.contains(path) == true)
    }
  }
}
