// The names of the API Router's runbooks, then those of Prometheus' clients, then our own.
extension Metric {
  /// Every metric there is, in the order of exposition.
  public static let all: [Metric] = routerRows + requestRows + controlRows + liveRows

  // MARK: As the API Router's runbooks have them

  static let backendRequests = Metric(
    "api_router_backend_requests_total", .counter, ["backend_id", "model", "status"], .log,
    "Calls sent to an account, by how they ended: success or error.")
  static let backendErrors = Metric(
    "api_router_backend_errors_total", .counter, ["backend_id", "model", "error_type"], .log,
    "Calls that failed, by whose fault it was.")
  static let backendDuration = Metric(
    "api_router_backend_request_duration_seconds", .histogram(.long), ["backend_id", "model"], .log,
    "How long calls to an account took to their ends.")
  static let rateLimitDenials = Metric(
    "api_router_rate_limit_denials_total", .counter, ["limit_type", "organization_id"], .log,
    "Requests refused for a rate limit of the organisation (org) or the key.")
  static let budgetDenials = Metric(
    "api_router_budget_denials_total", .counter, ["quota_type", "organization_id"], .log,
    "Requests refused because the money is spent (budget), or held by others under way (reserved).")
  static let quotaDenials = Metric(
    "api_router_quota_denials_total", .counter, ["quota_type", "organization_id"], .log,
    "Requests refused because a day's or a month's tokens are used up.")
  package static let published = Metric(
    "api_router_usage_records_published_total", .counter, ["status"], .live,
    "Ends of requests that the log took (success), and records of requests that it did not take (error)."
  )
  package static let publishDuration = Metric(
    "api_router_usage_records_publish_duration_seconds", .histogram(.short), [], .live,
    "How long the log's syncs took, each of which makes all outcomes before it durable.")
  package static let buffered = Metric(
    "api_router_usage_records_buffered_total", .counter, ["reason"], .log,
    "Outcomes that clients could see before they were on disk: all but in strict mode.")
  package static let bufferSize = Metric(
    "api_router_buffer_store_size", .gauge, [], .live,
    "Events that are written and not yet on disk.")
  package static let bufferAge = Metric(
    "api_router_buffer_store_age_seconds", .gauge, [], .live,
    "Age of the oldest event that is written and not yet on disk; 0 without one.")
  package static let bufferRetries = Metric(
    "api_router_buffer_store_retries_total", .counter, ["status"], .live,
    "Attempts to record again after the disk was full.")
  static let routed = Metric(
    "router_requests_total", .counter, ["success"], .log,
    "Requests for which an account was asked.")
  static let routedByBackend = Metric(
    "router_requests_by_backend_total", .counter, ["backend_id", "success"], .log,
    "Requests for which an account was asked, by the one that was asked last.")
  static let routedByDecision = Metric(
    "router_requests_by_decision_total", .counter, ["decision_type"], .log,
    "Requests for which an account was asked, by how the last one was come to.")
  static let routerFailovers = Metric(
    "router_failover_total", .counter, ["backend_id"], .log,
    "Further calls that a request needed, by the account that had failed.")
  package static let backendHealth = Metric(
    "router_backend_health_status", .gauge, ["backend_id", "status"], .live,
    "1 at the status that the account has, 0 at the others; disabled: by an operator. For other: how many."
  )
  static let backendLatency = Metric(
    "router_backend_latency_seconds", .histogram(.long), ["backend_id"], .log,
    "How long an account took to the first byte of its answer.")
  static let decisionLatency = Metric(
    "router_decision_latency_seconds", .histogram(.short), [], .log,
    "How long requests took from the end of their heads to the first call.")

  private static let routerRows = [
    backendRequests, backendErrors, backendDuration, rateLimitDenials, budgetDenials, quotaDenials,
    published, publishDuration, buffered, bufferSize, bufferAge, bufferRetries, routed,
    routedByBackend, routedByDecision, routerFailovers, backendHealth, backendLatency,
    decisionLatency,
  ]

  // MARK: Requests

  static let requests = Metric(
    "signalbox_requests_total", .counter, ["operation", "code", "outcome"], .log,
    "Requests that ended, by what was asked for, the status' class and how they ended.")
  static let requestErrors = Metric(
    "signalbox_request_errors_total", .counter, ["code", "error_class"], .log,
    "Requests that ended with an error, by the catalogue's code and whose fault it was.")
  static let requestDuration = Metric(
    "signalbox_request_duration_seconds", .histogram(.long), ["operation", "stream"], .log,
    "How long requests took for which an account was asked.")
  static let firstByte = Metric(
    "signalbox_time_to_first_byte_seconds", .histogram(.long), ["operation", "stream"], .log,
    "How long those took to the first byte that was sent to the client.")
  static let attempts = Metric(
    "signalbox_attempts_total", .counter, ["provider", "account", "code", "error_class"], .log,
    "Calls sent upstream, by the status of the answer and whose fault a failure was.")
  static let failovers = Metric(
    "signalbox_failovers_total", .counter, ["provider", "error_class"], .log,
    "Further calls that requests needed, by what had failed.")
  static let streamCuts = Metric(
    "signalbox_stream_cuts_total", .counter, ["provider"], .log,
    "Answers that broke off upstream after the client had got some of them.")
  static let tokens = Metric(
    "signalbox_tokens_total", .counter, ["provider", "model", "kind"], .log,
    "Tokens as providers reported them; cached and cache_creation are part of input, reasoning of output."
  )
  static let cost = Metric(
    "signalbox_cost_usd_total", .counter, ["provider", "model"], .log,
    "What requests cost at the prices of their time, in US dollars.")
  static let organisationRequests = Metric(
    "signalbox_organization_requests_total", .counter, ["organization_id", "outcome"], .log,
    "Requests that ended, by the organisation whose key they had.")
  static let organisationCost = Metric(
    "signalbox_organization_cost_usd_total", .counter, ["organization_id"], .log,
    "What an organisation's requests cost, in US dollars.")
  static let denials = Metric(
    "signalbox_denials_total", .counter, ["reason", "organization_id"], .log,
    "Requests refused before any call, by the error's code.")
  static let summarised = Metric(
    "signalbox_denials_summarised_total", .counter, [], .log,
    "Refusals that the log has as a number only, since one address was refused too often.")
  static let interrupted = Metric(
    "signalbox_requests_interrupted_total", .counter, [], .log,
    "Requests of an earlier life of the gateway that were found without an end.")
  static let undelivered = Metric(
    "signalbox_deliveries_failed_total", .counter, [], .log,
    "Requests that were recorded as completed and whose last bytes could not be sent.")

  private static let requestRows = [
    requests, requestErrors, requestDuration, firstByte, attempts, failovers, streamCuts, tokens,
    cost, organisationRequests, organisationCost, denials, summarised, interrupted, undelivered,
  ]

  // MARK: What else the log tells

  static let cooldowns = Metric(
    "signalbox_cooldowns_started_total", .counter, ["provider", "rule", "scope"], .log,
    "Times in which an account, or a model of it, is not chosen, by the rule that asked for them.")
  static let accountTests = Metric(
    "signalbox_account_tests_total", .counter, ["provider", "result"], .log,
    "Tests of accounts by a call, the gateway's own and operators'.")
  static let configChanges = Metric(
    "signalbox_config_changes_total", .counter, ["resource", "source"], .log,
    "Events of what operators configure, by the door through which they came.")
  static let gapEvents = Metric(
    "signalbox_log_gap_events_total", .counter, [], .log,
    "Events that are missing since the disk was full, as the end of the gap tells.")

  static let refreshes = Metric(
    "signalbox_credential_refreshes_total", .counter, ["provider", "result"], .log,
    "Refreshes of credentials by how they ended: refreshed, rejected, failed, or lost without an end that is known."
  )

  private static let controlRows = [cooldowns, accountTests, configChanges, gapEvents, refreshes]

  // MARK: What is read when asked for

  package static let inFlight = live(
    "signalbox_requests_in_flight", "Requests under way.")
  package static let oldestInFlight = live(
    "signalbox_requests_in_flight_oldest_seconds",
    "How long the oldest of the requests under way has been so; 0 without one.")
  package static let clientConnections = live(
    "signalbox_client_connections", "Connections of clients that are open.")
  package static let clientConnectionsTotal = Metric(
    "signalbox_client_connections_total", .counter, ["result"], .live,
    "Connections of clients that were let in (accepted) or were too many (refused).")
  package static let malformedHeads = Metric(
    "signalbox_malformed_heads_total", .counter, [], .live,
    "Requests whose heads could not be parsed; they are not in the log.")
  package static let upstreamConnects = Metric(
    "signalbox_upstream_connects_total", .counter, [], .live,
    "Connections to upstreams that were asked for.")
  package static let heldBodyBytes = live(
    "signalbox_held_body_bytes", "Bytes of bodies that are held in memory.")
  package static let retryBudget = live(
    "signalbox_retry_budget_attempts",
    "Further attempts that requests have saved up, 100 at most.")
  package static let retriesRefused = Metric(
    "signalbox_retries_refused_total", .counter, [], .live,
    "Further attempts that were not made because too many were.")
  package static let budgetLimit = Metric(
    "signalbox_budget_limit_usd", .gauge, ["organization_id", "period"], .live,
    "What an organisation may spend in the running day or month, in US dollars.")
  package static let budgetUsed = Metric(
    "signalbox_budget_used_usd", .gauge, ["organization_id", "period"], .live,
    "What an organisation under a budget spent in the running day or month, in US dollars.")
  package static let budgetReserved = Metric(
    "signalbox_budget_reserved_usd", .gauge, ["organization_id", "period"], .live,
    "What of an organisation's budget is set aside for requests under way, in US dollars.")
  package static let accounts = Metric(
    "signalbox_accounts", .gauge, ["provider", "state"], .live,
    "Accounts by whether they are chosen: ready, cooling, degraded or disabled.")
  package static let accountInfo = Metric(
    "signalbox_account_info", .gauge, ["account", "provider", "name"], .live,
    "1 for each account, to join its name by its id.")
  package static let credentials = Metric(
    "signalbox_credentials", .gauge, ["provider", "standing"], .live,
    "Credentials with a refresh token by whether they may be refreshed: usable, uncertain or reauth_required."
  )
  package static let credentialExpiry = Metric(
    "signalbox_credential_expires_timestamp_seconds", .gauge, ["account"], .live,
    "When an account's credential ends, in seconds since 1970, where that is known.")
  package static let syncExchanges = Metric(
    "signalbox_sync_exchanges_total", .counter, ["result"], .live,
    "Exchanges that this node began, by what came of them: same, exchanged, or why nothing did.")
  package static let syncServed = Metric(
    "signalbox_sync_served_total", .counter, ["result"], .live,
    "Messages of other nodes, by what came of them: served, or why they were refused.")
  package static let syncConflicts = Metric(
    "signalbox_sync_conflicts_total", .counter, [], .live,
    "Fields where an edit did not hold although nobody took it back, and credentials of one generation that differ."
  )
  package static let syncLastSuccess = Metric(
    "signalbox_sync_last_success_timestamp_seconds", .gauge, ["peer"], .live,
    "When an exchange with an enabled peer last came to its end in this life, in seconds since 1970; 0: not yet."
  )
  package static let syncDrift = Metric(
    "signalbox_sync_drift", .gauge, ["peer"], .live,
    "What is not the same here as at a peer, or where somebody's edit does not hold.")
  package static let syncWithheld = Metric(
    "signalbox_sync_withheld", .gauge, [], .live,
    "Resources and fields that nodes agree on and that cannot be so here.")
  package static let syncAwaited = Metric(
    "signalbox_sync_awaited", .gauge, [], .live,
    "Credentials that cannot be used here until the node that refreshes them tells of the next one."
  )
  package static let componentHealthy = Metric(
    "signalbox_component_healthy", .gauge, ["component"], .live,
    "1 where the component does all it should; one that is not configured is not here.")
  package static let logPosition = Metric(
    "signalbox_log_position", .gauge, ["state"], .live,
    "Place of the last event that is written, and of the last that is on disk (durable).")
  package static let logBytes = live("signalbox_log_bytes", "Bytes of the log's segments.")
  package static let logSegments = live("signalbox_log_segments", "Segments of the log.")
  package static let logUnsealed = live(
    "signalbox_log_segments_unsealed", "Finished segments that wait to be packed.")
  package static let logState = Metric(
    "signalbox_log_state", .gauge, ["state"], .live,
    "1 at the log's state, 0 at the others: working, shedding (the disk is full), poisoned.")
  package static let logShed = live(
    "signalbox_log_shed_events", "Events missing since the gap that is open began.")
  package static let logExhausted = live(
    "signalbox_log_reserve_exhausted",
    "1 if the disk is full and the space for operators' changes is used up too.")
  package static let viewsPosition = live(
    "signalbox_views_position", "The last event that the views have.")
  package static let viewsLag = live(
    "signalbox_views_lag_events", "Events that the views do not have yet.")
  package static let viewsRebuilds = Metric(
    "signalbox_views_rebuilds_total", .counter, [], .live,
    "How often the views had to be made anew.")
  package static let metricsLag = live(
    "signalbox_metrics_lag_events",
    "Events acknowledged before this was asked for that the counters do not have yet.")
  package static let snapshotPosition = live(
    "signalbox_snapshot_position", "The last event that routing knows of.")
  package static let spans = Metric(
    "signalbox_spans_total", .counter, ["result"], .live,
    "Spans that an OpenTelemetry collector took (exported), refused (failed), or missed while away (dropped)."
  )
  package static let buildInfo = Metric(
    "signalbox_build_info", .gauge, ["version", "commit", "recording"], .live,
    "1, at the version, the commit and the recording mode that run.")
  package static let cpu = Metric(
    "process_cpu_seconds_total", .counter, [], .live, "Processor time used, in seconds.")
  package static let startTime = live(
    "process_start_time_seconds", "When the process started, in seconds since 1970.")
  package static let residentMemory = live(
    "process_resident_memory_bytes", "Memory in use, in bytes.")
  package static let virtualMemory = live(
    "process_virtual_memory_bytes", "Memory that addresses are taken for, in bytes.")
  package static let openDescriptors = live("process_open_fds", "File descriptors that are open.")
  package static let maximumDescriptors = live(
    "process_max_fds", "File descriptors that may be open.")

  private static func live(_ name: String, _ help: String) -> Metric {
    Metric(name, .gauge, [], .live, help)
  }

  private static let liveRows = [
    inFlight, oldestInFlight, clientConnections, clientConnectionsTotal, malformedHeads,
    upstreamConnects, heldBodyBytes, retryBudget, retriesRefused, budgetLimit, budgetUsed,
    budgetReserved, accounts,
    accountInfo, credentials, credentialExpiry, syncExchanges, syncServed, syncConflicts,
    syncLastSuccess, syncDrift, syncWithheld, syncAwaited, componentHealthy, logPosition, logBytes,
    logSegments, logUnsealed, logState,
    logShed, logExhausted, viewsPosition, viewsLag, viewsRebuilds, metricsLag, snapshotPosition,
    spans,
    buildInfo, cpu, startTime, residentMemory, virtualMemory, openDescriptors, maximumDescriptors,
  ]
}
