@testable import Conformance
import Foundation
import Testing

@Suite("Reports")
struct ReportTests {
  private static let results = [
    ConformanceResult(
      identifier: "a.pass", title: "passes # not a directive \\", outcome: .passed, duration: .milliseconds(1500),
      notes: ["a \"note\"\twith <markup> & more"], deviations: ["bends\na rule"]),
    ConformanceResult(
      identifier: "a.fail", title: "fails", outcome: .failed("line 1\nline 2 \u{1} <x>&\"y\""), duration: .zero),
    ConformanceResult(identifier: "b.skip", title: "skips", outcome: .skipped("no # way"), duration: .zero),
  ]

  @Test("TAP 14 has a plan, escaped descriptions, directives and diagnostics")
  func tap() {
    #expect(
      TAPReport.text(Self.results, target: "nvme+tcp://h:1/n\nq") == ##"""
        TAP version 14
        # target: nvme+tcp://h:1/n q
        1..3
        ok 1 - a.pass: passes \# not a directive \\
          ---
          duration_ms: 1500.0
          deviations:
            - "bends\na rule"
          notes:
            - "a \"note\"\twith <markup> & more"
          ...
        not ok 2 - a.fail: fails
          ---
          message: "line 1\nline 2 \x01 <x>&\"y\""
          severity: fail
          duration_ms: 0.0
          ...
        ok 3 - b.skip: skips # SKIP no # way
          ---
          duration_ms: 0.0
          ...

        """##)
  }

  @Test("JUnit XML counts, and escapes what XML cannot have")
  func junit() throws {
    let text = JUnitReport.text(Self.results, target: "<&>")
    #expect(text.contains(#"<testsuites tests="3" failures="1" errors="0" skipped="1" time="1.500">"#))
    #expect(text.contains(#"<property name="target" value="&lt;&amp;&gt;"/>"#))
    #expect(text.contains(#"classname="nvmeof-conformance.a" name="a.pass: passes # not a directive \" time="1.500""#))
    #expect(text.contains("<failure message=\"line 1&#10;line 2 \u{FFFD} &lt;x&gt;&amp;&quot;y&quot;\">"))
    #expect(text.contains(#"<skipped message="no # way"/>"#))
    #expect(text.contains("deviation: bends&#10;a rule&#10;a &quot;note&quot;&#9;with &lt;markup&gt; &amp; more"))
    // Every element that is opened is closed: the only ones without an end tag end themselves.
    for name in ["testsuites", "testsuite", "testcase", "failure", "system-out", "properties"] {
      let opened = text.components(separatedBy: "<\(name)>").count + text.components(separatedBy: "<\(name) ").count - 2
      #expect(opened == text.components(separatedBy: "</\(name)>").count - 1, "\(name)")
    }
  }

  @Test("the summary counts and names failures and deviations")
  func summary() {
    #expect(
      SummaryReport.summary(Self.results)
        == "\n1 passed, 1 failed, 1 skipped; 1 with deviations that hosts can live with")
    #expect(SummaryReport.line(Self.results[0]).contains("deviation: bends"))
    #expect(SummaryReport.line(Self.results[1]).hasPrefix("FAIL  a.fail"))
  }
}
