import Domain
import EventStore

// Who noticed what: the figures of the incident.
extension IncidentReport {
  // MARK: Who noticed what

  var whoNoticed: [Document.Block] {
    let it = impact.figures
    var facts: [Document.Fact] = []
    func add(_ name: String, _ value: String) {
      facts.append(.init(name: name, value: [.text(value)]))
    }
    add(
      "Requests",
      "\(Shown.grouped(it.requests)) ended, \(Shown.grouped(it.callers)) of them at their callers' fault"
    )
    add("Failed", "\(failed.text) of those that count")
    let late = Share(part: impact.late, whole: it.firstByte.count)
    add(
      "Late",
      "\(late.text) first bytes after more than \(Shown.duration(objectives.firstByteMicroseconds))"
    )
    add(
      "Rescued",
      "\(Shown.count(it.rescued, "request")) served by a later call, after \(Shown.count(it.retries, "retry", "retries")) in all"
    )
    add(
      "Calls lost",
      "\(it.failedCalls) of \(Shown.count(it.calls - it.callersCalls, "call")) failed and took \(Shown.duration(it.failedCallMicroseconds)); what their tokens cost is not recorded"
        + (it.callersCalls > 0
          ? ". \(Shown.count(it.callersCalls, "more call")) ended at callers' fault" : "")
    )
    add(
      "Spent on failures",
      "\(Shown.grouped(it.lostTokens)) tokens, \(Shown.dollars(it.lostMicroUSD)); of \(Shown.count(it.lostUnknown, "failed request")) nothing was reported"
    )
    add(
      "Spent in all",
      "\(Shown.grouped(it.tokensIn)) tokens in, \(Shown.grouped(it.tokensOut)) out, \(Shown.dollars(it.costMicroUSD))"
        + (it.unpriced > 0
          ? "; \(Shown.count(it.unpriced, "request")) that an account was asked for \(it.unpriced == 1 ? "has" : "have") no price"
          : "")
    )
    let rest = [
      (impact.interrupted, "lost its end in a crash"),
      (impact.undelivered, "answered and not delivered"),
      (impact.deniedInSummaries, "refused and only counted"),
    ].filter { $0.0 > 0 }
    if !rest.isEmpty {
      add("Besides", rest.map { "\(Shown.grouped($0.0)) \($0.1)" }.joined(separator: ", "))
    }
    var blocks: [Document.Block] = [
      .heading("Who noticed what", id: "who-noticed-what"),
      .paragraph([
        .text("Counted over positions "), .place(String(impactFirst.rawValue)), .text(" to "),
        .place(String(impactLast.rawValue)),
        .text(
          ". A failure, of a request or of a call, is what neither the caller nor the request was at fault for."
        ),
      ]), .facts(facts),
      .table(names("By organisation", "organisation", impact.organisations, "requests")),
      .table(names("By model as asked", "model", impact.models, "requests")),
      .table(names("By provider", "provider", impact.providers, "calls")),
      .table(names("By account", "account", impact.accounts, "calls")), .table(failures),
    ]
    if it.callers > 0 { blocks.append(.table(refusals)) }
    blocks += [
      .subheading("Error budget"), .table(budget),
    ]
    if !top.slow.isEmpty {
      blocks += [
        .table(
          .init(
            caption: "Slowest requests",
            columns: [
              .init("request"), .init("position"), .init("total", isNumber: true),
              .init("first byte", isNumber: true), .init("status", isNumber: true),
              .init("calls", isNumber: true), .init("model"),
            ],
            rows: top.slow.map { it in
              [
                [.code(uuidText(it.id.rawValue))], [.place(it.moment.place)],
                [.text(Shown.duration(it.totalMicroseconds))],
                [.text(it.firstByteMicroseconds.map(Shown.duration) ?? "–")],
                [.text(String(it.status))], [.text(String(it.attempts))], [.text(it.model)],
              ]
            }))
      ]
    }
    return blocks
  }

  private func names(
    _ caption: String, _ column: String, _ names: Names, _ counted: String
  ) -> Document.Table {
    let rows = names.rows
    return .init(
      caption: caption,
      columns: [
        .init(column, isWide: true), .init(counted, isNumber: true),
        .init("failed", isNumber: true),
        .init("share", isNumber: true),
      ],
      rows: rows.prefix(Self.rowsMax).map { row in
        [
          [.text(row.name)], [.text(Shown.grouped(row.counted))],
          [.text(Shown.grouped(row.failed))], [.text(row.share.percent)],
        ]
      }, note: Self.more(rows.count, "name"))
  }

  /// What callers got that is no failure, so that nobody looks for it among those.
  private var refusals: Document.Table {
    let rows = impact.refusals.rows
    return .init(
      caption: "At callers' fault, so that it counts neither as served nor as failed",
      columns: [
        .init("code (class)", isWide: true), .init("requests", isNumber: true),
        .init("share of all", isNumber: true),
      ],
      rows: rows.prefix(Self.rowsMax).map { row in
        let share = Share(part: row.counted, whole: impact.figures.requests)
        return [[.code(row.name)], [.text(Shown.grouped(row.counted))], [.text(share.percent)]]
      }, note: Self.more(rows.count, "code"))
  }

  private var failures: Document.Table {
    let groups = top.failing
    return .init(
      caption: "Failures that are alike",
      columns: [
        .init("code"), .init("class"), .init("requests", isNumber: true), .init("model"),
        .init("account"), .init("first"), .init("last"),
      ],
      rows: groups.map { it in
        [
          [.code(it.code)], [.text(it.errorClass?.name ?? "–")], [.text(Shown.grouped(it.count))],
          [.text(it.model)], [.text(it.account ?? "–")], [.place(it.first.place)],
          [.place(it.last.place)],
        ]
      },
      note: top.untold.failures > 0
        ? "… and \(Shown.count(top.untold.failures, "more failure")) of other kinds." : "")
  }

  /// Burned in thousandths of a 30 days' budget, if requests come as they did in the incident.
  private func burned(_ share: Share, _ perMillion: UInt64) -> (rate: String, part: String) {
    guard share.whole > 0, let main else { return ("–", "–") }
    let rate = Int128(share.part) * 10_000_000 / (Int128(share.whole) * Int128(perMillion))
    let month: Int128 = 30 * 86_400_000_000_000
    let part =
      Int128(share.part) * 1_000_000 * Int128(main.length) * 1_000
      / (Int128(share.whole) * Int128(perMillion) * month)
    return ("\(rate / 10).\(rate % 10)", "\(part / 10).\(part % 10) %")
  }

  private var budget: Document.Table {
    let late = Share(part: impact.late, whole: impact.figures.firstByte.count)
    func percent(_ perMillion: UInt64) -> String {
      decimalText(millionths: perMillion * 100) + " %"
    }
    let rows: [(String, Share, UInt64)] = [
      (
        "\(percent(objectives.servedPerMillion)) of the requests are served", failed,
        objectives.failuresPerMillion
      ),
      (
        "\(percent(objectives.inTimePerMillion)) of the first bytes come within \(Shown.duration(objectives.firstByteMicroseconds))",
        late, objectives.latePerMillion
      ),
    ]
    return .init(
      caption: "What was promised, and what of it the incident used up",
      columns: [
        .init("promise", isWide: true), .init("broken", isNumber: true),
        .init("burn rate", isNumber: true), .init("of 30 days' budget", isNumber: true),
      ],
      rows: rows.map { text, share, perMillion in
        let it = burned(share, perMillion)
        return [[.text(text)], [.text(share.text)], [.text(it.rate)], [.text(it.part)]]
      },
      note:
        "A burn rate of 1 spends the budget exactly. The last column takes requests to come evenly.",
      isStacked: true)
  }
}
