import JSON
import Testing

struct JSONParserTests {
  static let accepted: [(String, JSONValue)] = [
    ("null", .null), (" true ", true), ("false", false), ("\"\"", ""), ("[]", []), ("{}", [:]),
    ("\t[1, 2 ,[3]\r\n]", [1, 2, [3]]), (#"{"a":1,"b":{"c":[null]}}"#, ["a": 1, "b": ["c": [nil]]]),
    (#"{"a":"b","c":["d",{"e":"f"}]}"#, ["a": "b", "c": ["d", ["e": "f"]]]), (#"["a",true,"b"]"#, ["a", true, "b"]),
    (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\ud83d\ude00""#, "😀"),
    ("\"é€😀\"", "é€😀"), (#""\u0000""#, "\0"), ("[0,-0.0,1]", [0, .number(JSONNumber(-0.0)!), 1]),
  ]

  @Test(arguments: accepted)
  func valuesAreRead(text: String, value: JSONValue) throws {
    #expect(try JSONParser.value(of: text) == value)
    // And again from what the writer makes of it, in both styles.
    #expect(try JSONParser.value(of: JSONWriter.text(of: value)) == value)
    #expect(try JSONParser.value(of: JSONWriter.text(of: value, style: .indented)) == value)
  }

  /// Text, offset of the byte that is wrong.
  static let refused: [(String, Int)] = [
    ("", 0), ("   ", 3), ("]", 0), ("}", 0), (",", 0), (":", 0), ("[1,]", 3), ("[,1]", 1), ("[1 2]", 3), ("{,}", 1),
    (#"{"a"}"#, 4), (#"{"a":}"#, 5), (#"{"a":1,}"#, 7), (#"{"a" 1}"#, 5), ("{1:2}", 1), ("{'a':1}", 1), ("[1}", 2),
    (#"{"a":1]"#, 6), ("01", 1), ("+1", 0), ("-", 1), ("-a", 1), ("1.", 2), ("1.e1", 2), (".5", 0), ("1e", 2),
    ("1e+", 3), ("[1e+]", 4), ("0x10", 1), ("1_000", 1), ("NaN", 0), ("nul", 3), ("nulL", 3), ("True", 0),
    ("truefalse", 4), ("\"abc", 4), ("\"a\u{1}\"", 2), ("\"a\nb\"", 2), (#""\x""#, 2), (#""\u12G4""#, 5),
    (#""\ud800""#, 7), (#""\ud800a""#, 7), (#""\ud800\n""#, 8), (#""\ud800\ud800""#, 12), (#""\udc00""#, 6),
    ("// comment\n1", 0), ("[1]x", 3), ("[1] [2]", 4), ("\u{FEFF}1", 0),
  ]

  @Test(arguments: refused)
  func whatIsNotJSONIsRefusedWhereItIsWrong(text: String, offset: Int) {
    // Leading white space is of no value; offsets count from where the value began, or from the text's beginning.
    #expect { try JSONParser.value(of: text) } throws: { ($0 as? JSONError)?.offset == offset }
  }

  @Test(
    arguments: [
      [0x22, 0xFF, 0x22], [0x22, 0xC0, 0xAF, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
      [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22],
      [0x22, 0xE2, 0x82, 0x22], [0x22, 0x80, 0x22],
    ] as [[UInt8]])
  func stringsMustBeUTF8(bytes: [UInt8]) {
    let reason = bytes.withUnsafeBytes { bytes in
      do throws(JSONError) {
        _ = try JSONParser.value(of: bytes)
        return JSONError.Reason?.none
      } catch { return error.reason }
    }
    #expect(reason == .invalidUTF8)
  }

  /// All steps that come of bytes given in pieces.
  private func steps(_ pieces: [ArraySlice<UInt8>], limits: JSONLimits = JSONLimits()) -> [String] {
    var parser = JSONParser(limits: limits)
    var found: [String] = []
    for piece in pieces {
      var rest = piece
      loop: while true {
        switch rest.withUnsafeBytes({ parser.parse($0) }) {
        case .needsMore: break loop
        case .value(let value, let count):
          found.append("\(value)")
          rest = rest.dropFirst(count)
        case .failed(let error): return found + ["\(error)"]
        }
      }
    }
    switch parser.finish() {
    case .needsMore: return found
    case .value(let value, _): return found + ["\(value)"]
    case .failed(let error): return found + ["\(error)"]
    }
  }

  static let streams: [String] = [
    #"{"jsonrpc":"2.0","method":"x","params":null,"id":4294967295}{"method":"y"}[1,2]"#,
    "1 2 3", "1\n-2.5e+3\ttrue false null\"a\"\"b\"[]{}", #" {"é":"\ud83d\ude00😀\u00e9"} [0.10,-0]1e5"#,
    #"[1,2]{"a":tru}"#, #"[1]"\ud800x""#, "[[[[[[1]]]]]]", "[1,2,3,4,5,6,7,8,9,10,11]",
    #""0123456789012345678901234567890""#,
    "  12  ]", "[1] nul",
  ]

  @Test(arguments: streams)
  func aSplitChangesNothing(text: String) {
    let bytes = Array(text.utf8)
    let limits = JSONLimits(maximumByteCount: 100, maximumDepth: 5, maximumValueCount: 10)
    let whole = steps([bytes[...]], limits: limits)
    #expect(!whole.isEmpty)
    for split in 0...bytes.count {
      #expect(steps([bytes[..<split], bytes[split...]], limits: limits) == whole, "split at \(split)")
    }
    #expect(steps(bytes.indices.map { bytes[$0...$0] }, limits: limits) == whole, "byte by byte")
    for first in 0...bytes.count {
      for second in first...bytes.count {
        #expect(steps([bytes[..<first], bytes[first..<second], bytes[second...]], limits: limits) == whole)
      }
    }
  }

  @Test func boundsHoldExactly() throws {
    func reason(_ text: String, _ limits: JSONLimits) -> JSONError.Reason? {
      do throws(JSONError) {
        _ = try JSONParser.value(of: text, limits: limits)
        return nil
      } catch { return error.reason }
    }
    #expect(reason("[12345678]", JSONLimits(maximumByteCount: 10)) == nil)
    #expect(reason("[123456789]", JSONLimits(maximumByteCount: 10)) == .tooLong(maximumByteCount: 10))
    #expect(reason("          [12345678]", JSONLimits(maximumByteCount: 10)) == nil)
    #expect(reason("[[1]]", JSONLimits(maximumDepth: 2)) == nil)
    #expect(reason("[[[1]]]", JSONLimits(maximumDepth: 2)) == .tooDeep(maximumDepth: 2))
    #expect(reason("[1,2]", JSONLimits(maximumValueCount: 3)) == nil)
    #expect(reason("[1,2,3]", JSONLimits(maximumValueCount: 3)) == .tooManyValues(maximumValueCount: 3))
    // A million levels cost no stack.
    let deep = String(repeating: "[", count: 1_000_000) + String(repeating: "]", count: 1_000_000)
    #expect(reason(deep, JSONLimits()) == .tooDeep(maximumDepth: 64))
  }

  /// Whatever comes behind: the bytes of a stream have no beginning any more.
  @Test(arguments: refused.filter { !$0.0.allSatisfy(\.isWhitespace) })
  func whatHasFailedStaysFailed(text: String, offset: Int) {
    var parser = JSONParser()
    let steps = [text, "]", "[1]"].map { text in Array(text.utf8).withUnsafeBytes { parser.parse($0) } }
    guard case .failed = steps[0] else { return }
    #expect(steps[1] == steps[0] && steps[2] == steps[0] && parser.finish() == steps[0])
  }

  @Test func whatIsWrongIsToldAtOnce() {
    var parser = JSONParser()
    let step = Array(#"{"method":"x" "id""#.utf8).withUnsafeBytes { parser.parse($0) }
    #expect(step == .failed(JSONError(.unexpectedByte(UInt8(ascii: "\"")), offset: 14)))
  }

  @Test func objectsKeepTheirOrderAndTellDuplicates() throws {
    let value = try JSONParser.value(of: #"{"z":1,"a":2,"z":3}"#)
    let object = try #require(value.objectValue)
    #expect(object.members.map(\.key) == ["z", "a", "z"])
    #expect(object.duplicateKey == "z")
    #expect(object["z"] == 1)
    var made: JSONObject = ["b": 1, "a": 2]
    made["b"] = 3
    #expect(made.duplicateKey == nil && made["b"] == 3 && made.members.map(\.key) == ["b", "a"])
    made["b"] = nil
    #expect(made.members.map(\.key) == ["a"])
  }

  @Test func theWritersStyles() {
    let value: JSONValue = ["name": "a\u{1}\"\\\n", "list": [1, [], [:]], "none": nil]
    #expect(JSONWriter.text(of: value) == #"{"name":"a\u0001\"\\\n","list":[1,[],{}],"none":null}"#)
    #expect(
      JSONWriter.text(of: value, style: .indented) == """
        {
          "name": "a\\u0001\\"\\\\\\n",
          "list": [
            1,
            [],
            {}
          ],
          "none": null
        }
        """)
    #expect(
      JSONWriter.text(of: value, style: .line)
        == #"{"name": "a\u0001\"\\\n", "list": [1, [], {}], "none": null}"#)
    #expect(
      JSONWriter.text(of: value, style: .fio) == """
        {
          "name" : "a\\u0001\\"\\\\\\n",
          "list" : [
            1,
            [
            ],
            {
            }
          ],
          "none" : null
        }
        """)
  }

  /// DEL and U+0080 to U+009F: JSON lets them stand in strings, terminals act on them.
  @Test func controlCharactersAreEscapedByWhoWritesForTerminals() throws {
    let value: JSONValue = "\u{7F}é\u{80}\u{9F}\u{A0}\u{4009F}"
    let texts: [(JSONWriter.Style, String)] = [
      (.compact, "\\u007fé\u{80}\u{9F}\u{A0}\u{4009F}"), (.fio, "\u{7F}é\u{80}\u{9F}\u{A0}\u{4009F}"),
      (.line, "\\u007fé\\u0080\\u009f\u{A0}\u{4009F}"),
      (.indented, "\\u007fé\\u0080\\u009f\u{A0}\u{4009F}"),
    ]
    for (style, text) in texts {
      #expect(JSONWriter.text(of: value, style: style) == "\"\(text)\"")
      #expect(try JSONParser.value(of: JSONWriter.text(of: value, style: style)) == value)
    }
  }
}
