import Domain
import Glibc
import Support
import Testing

@testable import Telemetry

/// The table keeps the rules of Prometheus' naming, and its page is made of it.
struct MetricTableTests {
  @Test(arguments: Metric.all)
  func `a row keeps the rules`(_ metric: Metric) {
    let isWord: (Character) -> Bool = { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "_") }
    #expect(metric.name.allSatisfy(isWord))
    #expect(
      ["api_router_", "router_", "signalbox_", "process_"].contains { metric.name.hasPrefix($0) })
    for label in metric.labels { #expect(label.allSatisfy(isWord) && label != "le") }
    #expect(metric.help.hasSuffix(".") && metric.help.first?.isWhitespace == false)
    switch metric.kind {
    case .counter: #expect(metric.name.hasSuffix("_total"))
    case .gauge: #expect(!metric.name.hasSuffix("_total"))
    case .histogram(let buckets):
      #expect(metric.name.hasSuffix("_seconds"))
      let bounds = buckets.microseconds
      #expect(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 })
    }
  }

  @Test func `no two rows have one name`() {
    #expect(Set(Metric.all.map(\.name)).count == Metric.all.count)
  }

  @Test func `what the runbooks ask for is there`() {
    let names = Set(Metric.all.map(\.name))
    for name in [
      "api_router_backend_errors_total", "api_router_backend_request_duration_seconds",
      "api_router_backend_requests_total", "api_router_budget_denials_total",
      "api_router_buffer_store_age_seconds", "api_router_buffer_store_retries_total",
      "api_router_buffer_store_size", "api_router_quota_denials_total",
      "api_router_rate_limit_denials_total", "api_router_usage_records_buffered_total",
      "api_router_usage_records_publish_duration_seconds",
      "api_router_usage_records_published_total", "router_backend_health_status",
      "router_backend_latency_seconds", "router_decision_latency_seconds", "router_failover_total",
      "router_requests_by_backend_total", "router_requests_by_decision_total",
      "router_requests_total",
    ] { #expect(names.contains(name), "\(name)") }
  }

  @Test func `docs/metrics.md is the table; UPDATE_GOLDEN=1 writes it`() throws {
    let page = Page("metrics.md")
    if getenv("UPDATE_GOLDEN") != nil { try #require(page.write(document())) }
    #expect(page.read() == document(), "run UPDATE_GOLDEN=1 swift test")
  }
}

private func document() -> String {
  var lines = [
    "# Metrics", "",
    "`GET /metrics` answers in Prometheus' text format. From this machine it needs no credential; from elsewhere, through a proxy or under a",
    "foreign host name an administrator's token, or a client's key with `diagnostics` (`authorization: {credentials: …}` in Prometheus).",
    "",
    "**What comes from the log** counts its events since this process opened it, and starts at 0 with the process. Each answer has first",
    "taken in what was acknowledged before it was asked, and waits a quarter of a second for that; `signalbox_metrics_lag_events`",
    "tells what is missing then. So the counters say what the log says, also while its views are broken or made anew, and serving requests",
    "costs nothing for them. With `--recording off` they stay where they are; of what a full disk keeps out of the log they know nothing.",
    "",
    "**Bounds.** Labels have \(RequestMetrics.Bounds.organisations) organisations, \(RequestMetrics.Bounds.accounts) accounts, \(RequestMetrics.Bounds.models) models and \(RequestMetrics.Bounds.words) error codes of their own, and a metric \(RequestMetrics.Bounds.series) series (a histogram",
    "\(RequestMetrics.Bounds.histograms)); what is beyond counts as `other`. Of the gauges of accounts the first 1000 ids have their own, and counters whoever came first. `none` is where there is no such thing. `backend_id` and `account` are an account's id.",
    "`organization_id` of a refusal by a rate limit is certain; whether the organisation's or the key's limit refused follows from which was fuller.",
    "",
    "**Buckets** in seconds: long \(bounds(.long)); short \(bounds(.short)).", "",
    "What there is nothing of yet (a Kafka, Redis or etcd) has no metric, and no series of `signalbox_component_healthy`. Burn rates",
    "are rules over these.", "",
    "# Traces", "",
    "With `OTEL_EXPORTER_OTLP_ENDPOINT` (`http://127.0.0.1:4318`; or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, taken as it is) each request becomes",
    "spans at that OpenTelemetry collector, by OTLP over HTTP in JSON: one of the gateway as a server, one of it as a client for each attempt, named",
    "by the conventions for generative AI (`gen_ai.*`). `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME` and `OTEL_SDK_DISABLED` are read. Spans are made from the log, so they hold no",
    "prompt, no answer and no secret, and the log is their queue: while the collector is away, or slower than requests come, at most 262,144 spans",
    "wait, and those of 64 MiB of records; beyond that the oldest are `dropped` in `signalbox_spans_total`, looked after once a second. What the",
    "collector refuses is `failed` there, also where it takes a part only (`partialSuccess`).", "",
    "A client's `traceparent` (W3C Trace Context) is in the log with its request: the gateway's span is the child of the client's, and where the",
    "client's `sampled` flag is 0, nothing is told of the request. Without one, or with one that is not valid, the request is a trace of its own, whose",
    "id is the gateway's id of it (`x-signalbox-request-id` without hyphens). Each call carries a `traceparent` with its own span's id, and the",
    "client's `tracestate`. The audit tells `traceId` and `spanId`. Without a collector no span of ours stands between the client's and the",
    "provider's: a valid `traceparent` and its `tracestate` go on as they are, and none is made.",
    "",
    "# All of them", "",
    "This page is written from the table (`Sources/Telemetry/Metric+Table.swift`) by",
    "`UPDATE_GOLDEN=1 swift test --filter MetricTable`.", "",
    "| metric | type | labels | from | what it says |", "|---|---|---|---|---|",
  ]
  for metric in Metric.all {
    let kind =
      switch metric.kind {
      case .histogram(.long): "histogram, long"
      case .histogram(.short): "histogram, short"
      case .counter, .gauge: metric.kind.name
      }
    let labels = metric.labels.map { "`\($0)`" }.joined(separator: " ")
    lines.append(
      "| `\(metric.name)` | \(kind) | \(labels) | \(metric.origin == .log ? "log" : "now") | \(metric.help) |"
    )
  }
  return lines.joined(separator: "\n") + "\n"
}

private func bounds(_ buckets: Metric.Buckets) -> String {
  buckets.microseconds.map { decimalText(millionths: $0) }.joined(separator: " ")
}
