import Domain

extension RequestMetrics {
  /// Writes every metric of the table that comes from the log.
  ///
  /// - Parameter providers: of each account that there is or was, by its id.
  public mutating func write(to page: inout Exposition, providers: [String: String]) {
    settle()
    let sums = Sums(self, providers)
    writeCalls(to: &page, sums)
    writeLimits(to: &page, sums)
    writeRequests(to: &page, sums)
    writeRest(to: &page, sums)
  }

  private func writeCalls(to page: inout Exposition, _ sums: Sums) {
    page.write(
      .backendRequests,
      sums.add(calls) {
        [
          accounts.text($0.account), models.text($0.model),
          $0.errorClass == 0 ? "success" : "error",
        ]
      })
    page.write(
      .backendErrors,
      sums.add(calls) {
        guard let name = ErrorClass(rawValue: $0.errorClass)?.name else { return nil }
        return [accounts.text($0.account), models.text($0.model), name]
      })
    page.write(
      .backendDuration,
      sums.add(callTimes) { [accounts.text($0.account), models.text($0.model)] })
    page.write(.backendLatency, sums.add(callFirstBytes) { [accounts.text($0)] })
    page.write(
      .attempts,
      sums.add(calls) {
        [
          sums.provider($0.account), accounts.text($0.account),
          $0.status == 0 ? "none" : String($0.status), Self.name($0.errorClass),
        ]
      })
    page.write(.routerFailovers, sums.add(failedOver) { [accounts.text($0.account)] })
    page.write(
      .failovers,
      sums.add(failedOver) { [sums.provider($0.account), Self.name($0.errorClass)] })
    page.write(.streamCuts, sums.add(cuts) { [sums.provider($0)] })
  }

  private func writeLimits(to page: inout Exposition, _ sums: Sums) {
    func write(_ metric: Metric, _ kinds: [LimitDenial.Kind]) {
      page.write(
        metric,
        sums.add(limitDenials) {
          kinds.contains($0.kind) ? [$0.kind.rawValue, organisations.text($0.organisation)] : nil
        })
    }
    write(.rateLimitDenials, [.org, .key])
    write(.budgetDenials, [.budget, .reserved])
    write(.quotaDenials, [.dailyQuota, .monthlyQuota])
    page.write(
      .denials, sums.add(denials) { [codes.text($0.code), organisations.text($0.organisation)] })
    page.write(.summarised, .whole(summarised))
  }

  private func writeRequests(to page: inout Exposition, _ sums: Sums) {
    page.write(
      .requests,
      sums.add(ends) {
        [
          Self.operation($0.operation), "\($0.class)xx",
          Ending(rawValue: $0.ending)?.name ?? "other",
        ]
      })
    page.write(
      .requestErrors, sums.add(errors) { [codes.text($0.code), Self.name($0.class)] })
    page.write(.requestDuration, sums.add(times) { Self.labels($0) })
    page.write(.firstByte, sums.add(firstBytes) { Self.labels($0) })
    page.write(.decisionLatency, [[]: decisionTimes])
    page.write(.routed, sums.add(routed) { [$0.isGood ? "true" : "false"] })
    page.write(
      .routedByBackend,
      sums.add(routed) { [accounts.text($0.account), $0.isGood ? "true" : "false"] })
    page.write(
      .routedByDecision,
      Dictionary(uniqueKeysWithValues: decisions.map { ([$0.key.rawValue], .whole($0.value)) }))
    writeTokens(to: &page, sums)
    page.write(
      .organisationRequests,
      sums.add(organisationEnds) {
        [organisations.text($0.organisation), Ending(rawValue: $0.ending)?.name ?? "other"]
      })
    page.write(
      .organisationCost,
      sums.add(organisationCosts) { [organisations.text($0)] }.mapValues { value in
        if case .whole(let number) = value { .millionths(number) } else { value }
      })
  }

  private func writeTokens(to page: inout Exposition, _ sums: Sums) {
    var byKind: [[String]: Exposition.Value] = [:]
    var costs: [[String]: Exposition.Value] = [:]
    var merged: [[String]: Tokens] = [:]
    for (key, value) in tokens.values {
      merged[[sums.provider(key.account), models.text(key.model)], default: Tokens()].add(value)
    }
    for (labels, value) in merged {
      for (kind, count) in [
        ("input", value.input), ("output", value.output), ("cached", value.cached),
        ("reasoning", value.reasoning), ("cache_creation", value.cacheCreation),
      ] where count > 0 {
        byKind[labels + [kind]] = .whole(count)
      }
      if value.costMicroUSD > 0 { costs[labels] = .millionths(value.costMicroUSD) }
    }
    page.write(.tokens, byKind)
    page.write(.cost, costs)
  }

  private func writeRest(to page: inout Exposition, _ sums: Sums) {
    page.write(.interrupted, .whole(interrupted))
    page.write(.undelivered, .whole(undelivered))
    page.write(
      .cooldowns,
      sums.add(cooldowns) {
        [sums.provider($0.account), rules.text($0.rule), $0.isOfModel ? "model" : "account"]
      })
    page.write(
      .accountTests,
      sums.add(tests) { [sums.provider($0.account), $0.isValid ? "valid" : "invalid"] })
    page.write(
      .configChanges,
      sums.add(changes) {
        [resources.text($0.resource), Source(rawValue: $0.source)?.name ?? "other"]
      })
    page.write(
      .refreshes, sums.add(refreshes) { [sums.provider($0.account), $0.end.rawValue] })
    page.write(.gapEvents, .whole(lost))
  }

  private static func labels(_ kind: Kind) -> [String] {
    [operation(kind.operation), kind.isStream ? "true" : "false"]
  }

  private static func operation(_ number: UInt8) -> String {
    Operation(rawValue: number)?.name ?? "other"
  }

  private static func name(_ errorClass: UInt8) -> String {
    ErrorClass(rawValue: errorClass)?.name ?? "none"
  }

  /// Adds up what has the same labels; several numbers may be told by one name.
  private struct Sums {
    private let accounts: LabelValues
    private let providers: [String: String]

    init(_ metrics: RequestMetrics, _ providers: [String: String]) {
      accounts = metrics.accounts
      self.providers = providers
    }

    func provider(_ account: Int32) -> String {
      let text = accounts.text(account)
      return providers[text] ?? (account < 0 ? text : "other")
    }

    /// - Parameter labels: nil: it does not count here.
    func add<Key>(
      _ cells: Cells<Key, UInt64>, _ labels: (Key) -> [String]?
    ) -> [[String]: Exposition.Value] {
      var sums: [[String]: UInt64] = [:]
      for (key, count) in cells.values {
        guard let labels = labels(key) else { continue }
        sums[labels, default: 0] = (sums[labels] ?? 0).saturated(adding: count)
      }
      return sums.mapValues { .whole($0) }
    }

    func add<Key>(
      _ cells: Cells<Key, Histogram>, _ labels: (Key) -> [String]
    ) -> [[String]: Histogram] {
      var sums: [[String]: Histogram] = [:]
      for (key, histogram) in cells.values {
        sums[labels(key), default: Histogram(histogram.buckets)].add(histogram)
      }
      return sums
    }
  }
}
