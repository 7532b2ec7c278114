/// The beginning of an HTTP/1 request (RFC 9112): all of it that a server of one page needs.
struct HTTPRequestHead: Hashable {
  /// Empty when the first line is none of a request.
  var method: String
  /// Without a query.
  var path: String

  /// nil while the head has not ended.
  init?(_ bytes: UnsafeRawBufferPointer) {
    // Ends with an empty line; a lone line feed is a line's end, too (section 2.2).
    var isAtLineStart = false
    var hasEnded = false
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        if isAtLineStart {
          hasEnded = true
          break
        }
        isAtLineStart = true
      } else if byte != UInt8(ascii: "\r") {
        isAtLineStart = false
      }
    }
    guard hasEnded else { return nil }
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    let words = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2].hasPrefix("HTTP/1."), words[1].hasPrefix("/") else {
      method = ""
      path = ""
      return
    }
    method = String(words[0])
    path = String(words[1].prefix { $0 != "?" })
  }
}
