import Testing

@testable import Daemon

struct HTTPRequestHeadTests {
  private func head(_ text: String) -> HTTPRequestHead? { Array(text.utf8).withUnsafeBytes { HTTPRequestHead($0) } }

  @Test(arguments: [
    ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "/metrics"), ("GET /a?b=c HTTP/1.0\n\n", "GET", "/a"),
    ("POST / HTTP/1.1\r\n\r\nbody", "POST", "/"), ("GET  /metrics HTTP/1.1\r\n\r\n", "", ""),
    ("GET metrics HTTP/1.1\r\n\r\n", "", ""), ("GET /metrics HTTP/2\r\n\r\n", "", ""), ("x\n\n", "", ""),
  ])
  func aHeadIsRead(text: String, method: String, path: String) {
    let head = head(text)
    #expect(head?.method == method && head?.path == path)
  }

  @Test func nothingIsReadBeforeItsEnd() {
    let text = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    for count in 0..<text.utf8.count { #expect(head(String(decoding: text.utf8.prefix(count), as: UTF8.self)) == nil) }
  }
}
