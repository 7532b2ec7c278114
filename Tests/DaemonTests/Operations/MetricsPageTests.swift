import Testing

@testable import Daemon

struct MetricsPageTests {
  @Test func samplesAndLabels() {
    var page = MetricsPage()
    page.family("a_total", .counter, "Some.")
    page.sample(3 as UInt64)
    page.sample(0.5, ["name": "x\"\\\ny", "other": ""])
    #expect(
      page.text == """
        # HELP a_total Some.
        # TYPE a_total counter
        a_total 3
        a_total{name="x\\"\\\\\\ny",other=""} 0.5

        """)
  }
}
