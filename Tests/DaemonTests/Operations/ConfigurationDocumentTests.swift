import Glibc
import JSON
import Testing

@testable import Daemon

struct ConfigurationDocumentTests {
  private func parse(_ text: String) throws -> ConfigurationDocument {
    try ConfigurationDocument(parsing: Array(text.utf8), path: "file")
  }

  @Test func whatIsWrittenIsRead() throws {
    let document = ConfigurationDocument(sections: [
      .init(name: "keyring", entries: []),
      .init(
        name: "bdev",
        entries: [
          ConfigurationEntry("a", ["name": "x\n", "list": [1, nil], "big": .integer(UInt64.max)]),
          ConfigurationEntry("b"),
        ]),
    ])
    #expect(try ConfigurationDocument(parsing: document.bytes, path: "file") == document)
  }

  @Test func otherFormsAreRead() throws {
    // Null for an empty section, and calls grouped into batches, as clients may write them.
    let document = try parse(
      #"{"subsystems":[{"subsystem":"a","config":null},{"subsystem":"b"},"#
        + #"{"subsystem":"c","config":[[{"method":"m"},{"method":"n","params":null}],{"method":"o","params":{}}]}]}"#)
    #expect(document.sections.map(\.name) == ["a", "b", "c"])
    #expect(document.entries == [ConfigurationEntry("m"), ConfigurationEntry("n"), ConfigurationEntry("o", [:])])
  }

  @Test func commentsAreNoPartOfIt() throws {
    let document = try parse(
      """
      // Where it comes from: //, /* and "quotes
      {"subsystems": [ /* one *//* and another
        over lines: */ {"subsystem": "a//b", "config": [{"method": "m\\"/*x*/", "params": {"path": "/*/"}}]} /**/
      ]} // "the end"
      """)
    #expect(document.sections.map(\.name) == ["a//b"])
    #expect(document.entries == [ConfigurationEntry("m\"/*x*/", ["path": "/*/"])])
  }

  @Test(arguments: [
    (#"{"subsystems":[]} /* no end"#, "is not JSON"), ("/", "is not JSON"), (#"{"subsystems":[]} /*/"#, "is not JSON"),
    ("", "is empty"), (" \n", "is empty"), ("[]", "subsystems: there must be an array"),
    (#"{"subsystems":{}}"#, "there must be an array"),
    (#"{"subsystems":[7]}"#, "subsystems[0].subsystem: must be a string"),
    (#"{"subsystems":[{"subsystem":"a","config":{}}]}"#, "subsystems[0].config: must be an array"),
    (#"{"subsystems":[{"subsystem":"a","config":[{}]}]}"#, "subsystems[0].config[0].method: must be a string"),
  ])
  func whatIsWrongIsNamed(text: String, message: String) {
    #expect { try parse(text) } throws: { "\($0)".contains(message) }
  }

  @Test(arguments: [
    ("\n\n  {\"subsystems\":[\n  7,,]}", "line 4, column 5: unexpected ','"),
    ("{\n\"subsystems\": []\n} x", "line 3, column 3: unexpected 'x'"), ("  x", "line 1, column 3: unexpected 'x'"),
    (" // {\n{", "line 2, column 2: the text ends within a value"),
  ])
  func placesAreLinesAndColumns(text: String, message: String) {
    #expect { try parse(text) } throws: { "\($0)".hasSuffix(message) }
  }

  /// What a daemon with very many devices has written is more than a client may send.
  @Test func largeOnesCanBeReadAgain() throws {
    let entries = (0..<30_000).map { ConfigurationEntry("m", ["name": .string("Nvme\($0)"), "value": .integer($0)]) }
    let document = ConfigurationDocument(sections: [.init(name: "bdev", entries: entries)])
    #expect(try ConfigurationDocument(parsing: document.bytes, path: "x") == document)
  }

  /// A FIFO that nobody writes to is not waited for, and neither it nor a device is replaced by a file.
  @Test func whatIsNoFileIsNotKept() throws {
    let path = "/tmp/nvmeofd-fifo-\(getpid())"
    #expect(mkfifo(path, 0o600) == 0)
    defer { unlink(path) }
    for path in [path, "/dev/null"] {
      #expect { _ = try ConfigurationFile.read(path, isKept: true) } throws: { "\($0)".contains("no regular file") }
      #expect { _ = try ConfigurationFile.read(path, isKept: false) } throws: { "\($0)".contains("is empty") }
    }
  }

  @Test func filesAreReplacedWhole() throws {
    var template = Array("/tmp/nvmeofd-test-XXXXXX".utf8CString)
    _ = try #require(mkdtemp(&template))
    let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer {
      unlink("\(directory)/c")
      rmdir(directory)
    }
    let path = "\(directory)/c"
    #expect(try ConfigurationFile.read(path, isKept: true) == nil)
    for name in ["one", "two"] {
      let document = ConfigurationDocument(sections: [.init(name: name, entries: [])])
      try ConfigurationFile.write(document, path)
      #expect(try ConfigurationFile.read(path, isKept: true) == document)
    }
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(access("\(path).new", F_OK) != 0)
    #expect(throws: ConfigurationFileError.self) {
      try ConfigurationFile.write(ConfigurationDocument(sections: []), "\(directory)/none/c")
    }
  }
}
