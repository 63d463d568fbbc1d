import Testing

@testable import Telemetry

/// The text is what Prometheus' format 0.0.4 says.
struct ExpositionTests {
  private func text(_ write: (inout Exposition) -> Void) -> String {
    var page = Exposition()
    write(&page)
    return String(decoding: page.bytes, as: UTF8.self)
  }

  @Test func `a metric says what it is, also while it has no value`() {
    #expect(
      text { $0.write(.streamCuts, [[String]: Exposition.Value]()) }
        == """
        # HELP signalbox_stream_cuts_total \(Metric.streamCuts.help)
        # TYPE signalbox_stream_cuts_total counter

        """)
  }

  @Test func `values of labels are escaped, whatever is in them`() {
    let odd = "a\\b\"c\nd{e=\"f\"},ü"
    let lines = text { $0.write(.streamCuts, [[odd]: .whole(3), ["b"]: .whole(.max)]) }
      .split(separator: "\n").dropFirst(2)
    #expect(
      Array(lines) == [
        #"signalbox_stream_cuts_total{provider="a\\b\"c\nd{e=\"f\"},ü"} 3"#,
        #"signalbox_stream_cuts_total{provider="b"} 18446744073709551615"#,
      ])
  }

  @Test func `a histogram's buckets sum up, and a value at a bound is within it`() {
    var histogram = Histogram(.short)
    for value: UInt64 in [0, 10, 11, 1_000_000, 1_000_001, .max] {
      histogram.record(microseconds: value)
    }
    let lines = text { $0.write(.decisionLatency, [[]: histogram]) }
      .split(separator: "\n").dropFirst(2)
    let name = "router_decision_latency_seconds"
    #expect(lines.first == "\(name)_bucket{le=\"0.00001\"} 2")
    #expect(lines.dropFirst().first == "\(name)_bucket{le=\"0.000025\"} 3")
    #expect(
      Array(lines.suffix(4)) == [
        "\(name)_bucket{le=\"1\"} 4", "\(name)_bucket{le=\"+Inf\"} 6",
        "\(name)_sum 18446744073709.551615", "\(name)_count 6",
      ])
  }
}
