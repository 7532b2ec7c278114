import Glibc
import JSON
import Logging
import Testing

@testable import Daemon

struct LogTests {
  /// What a log writes while `body` runs.
  private func written(_ format: DaemonLog.Format, _ body: (DaemonLog) -> Void) -> [String] {
    var descriptors: [Int32] = [-1, -1]
    precondition(pipe(&descriptors) == 0)
    body(DaemonLog(format: format, descriptor: descriptors[1]))
    close(descriptors[1])
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptors[0], &buffer, buffer.count)
      if count <= 0 { break }
      bytes += buffer[..<count]
    }
    close(descriptors[0])
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test func aLineOfText() {
    let lines = written(.text) { log in
      log.hasTimestamps = false
      let logger = log.logger(.rpc)
      logger.info("said", metadata: ["b": "plain", "a": "two words", "c": "", "d": "x\ny\"z"])
      logger.notice("two\nlines")
    }
    #expect(lines == [#"INFO rpc: said a="two words" b=plain d="x\ny\"z""#, #"NOTICE rpc: two\nlines"#])
    let stamped = written(.text) { $0.logger(.nbd).error("x") }
    #expect(stamped.count == 1)
    #expect(stamped[0].wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ERROR nbd: x/) != nil)
  }

  @Test func aLineOfJSON() throws {
    let lines = written(.json) { log in
      log.logger(.nvme).warning("said", metadata: ["text": "a\"b", "list": ["x", "y"], "level": "mine"])
    }
    let value = try JSONParser.value(of: try #require(lines.first))
    #expect(value["level"] == "WARNING" && value["part"] == "nvme" && value["message"] == "said")
    #expect(value["text"] == #"a"b"# && value["list"] == ["x", "y"])
    #expect(value["time"]?.stringValue?.hasSuffix("Z") == true)
  }

  @Test(arguments: LogLevel.allCases)
  func theLevelIsHeldAtOnce(level: LogLevel) {
    let lines = written(.text) { log in
      // Made before: it follows.
      let logger = log.logger(.rpc)
      log.hasTimestamps = false
      log.printLevel = level
      logger.debug("DEBUG")
      logger.info("INFO")
      logger.notice("NOTICE")
      logger.warning("WARNING")
      logger.error("ERROR")
    }
    let expected = LogLevel.allCases.filter { $0.index <= level.index }.reversed().map {
      "\($0.rawValue) rpc: \($0.rawValue)"
    }
    #expect(lines == expected)
  }

  @Test func aFlagLetsItsPartThrough() {
    let lines = written(.text) { log in
      log.hasTimestamps = false
      log.printLevel = .error
      log.set(.nbd, true)
      log.logger(.nbd).debug("seen")
      log.logger(.rpc).debug("unseen")
      log.set(.nbd, false)
      log.logger(.nbd).debug("unseen")
    }
    #expect(lines == ["DEBUG nbd: seen"])
  }
}
