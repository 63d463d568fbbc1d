import Domain
import EventStore

extension WhatIfReport.Outcome {
  var text: String {
    switch self {
    case .account(let name, let model): "\(name) (\(Shown.text(model)))"
    case .refused(let why): "refused: \(why)"
    }
  }

  var json: JSONTree {
    switch self {
    case .account(let name, let model):
      .object([.init("account", .text(name)), .init("model", .text(model))])
    case .refused(let why): .object([.init("refused", .text(why))])
    }
  }
}

extension WhatIfReport {
  /// `$1.234567`: sums are compared, so all have the same places.
  private static func dollars(_ micro: UInt64) -> String {
    let fraction = String(micro % 1_000_000)
    return "$\(micro / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
  }

  private func isBefore(_ moment: LogCoverage.Moment) -> Bool {
    let position = moment.place.split(separator: ":").last.flatMap { UInt64($0) } ?? 0
    return position < first.rawValue
  }

  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    guard first <= last else { return out + "window    nothing. \(coverage.text)\n" }
    out += "window    positions \(first) to \(last)\n"
    for change in changes { out += "supposed  \(Shown.text(change))\n" }
    for gap in gaps { out += "gap       \(gap.text)\n" }
    out += "decided   \(Shown.count(looked, "request")) again, \(moved) of them go elsewhere\n"
    if modelled.requests > 0 {
      out +=
        "modelled  \(Shown.count(modelled.requests, "request")) more, \(modelled.moved) of them drawn to go elsewhere: "
        + Why.allCases.compactMap { why in modelled.why[why].map { "\(why.text) (\($0))" } }
        .joined(separator: ", ") + "\n"
    }
    if undecided.limits > 0 {
      out +=
        "undecided \(Shown.count(undecided.limits, "request")) under limits or budgets that are supposed to be others: "
        + "what those let in hangs on when requests came\n"
    }
    if undecided.letIn > 0 {
      out +=
        "undecided \(Shown.count(undecided.letIn, "request")) that would be let in and were refused: what they asked for "
        + "is not in the log\n"
    }
    if undecided.owner > 0 {
      out +=
        "undecided \(Shown.count(undecided.owner, "request")) refused because of the account that has what they refer to: "
        + "which one that is, is recorded with calls only\n"
    }
    if notRouted > 0 {
      out += "left out  \(notRouted) that were refused before any routing\n"
    }
    if let before = outside.first {
      let all = outside.map { "\($0.place) (\(rfc3339($0.time)))" }
      out +=
        "elsewhere no request of the window is about what is supposed; \(all.joined(separator: " and ")) "
        + (outside.count > 1 ? "are" : "is") + ", the nearest: widen the window, for example to "
        + (isBefore(before) ? "--from" : "--to") + " \(before.place)\n"
    }
    if notApplicable > 0 {
      out +=
        "left out  \(notApplicable) from when what is changed was not there or could not be so\n"
    }
    if notReproducible > 0 {
      out += "left out  \(notReproducible) whose recorded choice cannot be made again\n"
    }
    if !groups.isEmpty {
      out += "\nmoved\n"
      var table = TextTable(
        "model", "from", "to", ">requests", ">modelled", ">failed", ">callers' fault",
        "for example")
      for group in groups {
        table.add(
          Shown.text(group.model), group.before.text, group.after.text, String(group.requests),
          String(group.modelled), String(group.failed), String(group.callers),
          group.examples.first.map { uuidText($0.rawValue) } ?? "")
      }
      out += table.rendered()
      out += "\nfailures of the requests that move\n"
      out += "  recorded   \(failures.recorded)"
      out += failures.callers > 0 ? ", and \(failures.callers) at callers' fault\n" : "\n"
      out += "  modelled   \(failures.modelled), from \(failures.low) to \(failures.high)\n"
      if failures.refused > 0 { out += "  refused    \(failures.refused) of them would be\n" }
      if failures.unknowable > 0 {
        out += "  not known  \(failures.unknowable) go where no request of the window came\n"
      }
    }
    if !loads.isEmpty {
      out += "\nfirst calls\n"
      var table = TextTable("account", ">recorded", ">failed", ">not decided", ">supposed")
      for load in loads {
        table.add(
          load.name, String(load.before), String(load.failed), String(load.undecided),
          String(load.after))
      }
      out += table.rendered()
    }
    out += "\ncost\n  recorded   \(Self.dollars(cost.before))\n"
    out += "  supposed   \(Self.dollars(cost.after)), for the same tokens\n"
    if cost.unknown > 0 {
      out +=
        "  not known  of \(Shown.count(cost.unknown, "request")), which cost \(Self.dollars(cost.unknownBefore)) as recorded: "
        + "not decided, without tokens or price, or of a later call\n"
    }
    out += "\nwhat this is\n"
    for term in Self.terms { out += "  \(term)\n" }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("what-if")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("otherTimes", .count(otherTimes)),
      .init("supposed", .array(changes.map { .text($0) })),
      .init("gaps", .array(gaps.map(\.json))), .init("decided", .count(looked)),
      .init("moved", .count(moved)),
      .init(
        "modelled",
        .object([
          .init("requests", .count(modelled.requests)), .init("moved", .count(modelled.moved)),
          .init(
            "why",
            .object(Why.allCases.map { .init($0.rawValue, .count(modelled.why[$0] ?? 0)) })),
        ])),
      .init(
        "undecided",
        .object([
          .init("limits", .count(undecided.limits)), .init("letIn", .count(undecided.letIn)),
          .init("owner", .count(undecided.owner)),
        ])), .init("notRouted", .count(notRouted)),
      .init("notApplicable", .count(notApplicable)),
      .init("notReproducible", .count(notReproducible)),
      .init(
        "outside",
        .array(
          outside.map {
            .object([.init("at", .text($0.place)), .init("time", .text(rfc3339($0.time)))])
          })),
      .init(
        "groups",
        .array(
          groups.map { group in
            .object([
              .init("model", .text(group.model)), .init("from", group.before.json),
              .init("to", group.after.json), .init("requests", .count(group.requests)),
              .init("modelled", .count(group.modelled)), .init("failed", .count(group.failed)),
              .init("callersFault", .count(group.callers)),
              .init("examples", .array(group.examples.map { .text(uuidText($0.rawValue)) })),
            ])
          })),
      .init(
        "failures",
        .object([
          .init("recorded", .count(failures.recorded)),
          .init("callersFault", .count(failures.callers)),
          .init("modelled", .count(failures.modelled)), .init("low", .count(failures.low)),
          .init("high", .count(failures.high)), .init("refused", .count(failures.refused)),
          .init("unknowable", .count(failures.unknowable)),
        ])),
      .init(
        "accounts",
        .array(
          loads.map {
            .object([
              .init("account", .text($0.name)), .init("recorded", .count($0.before)),
              .init("failed", .count($0.failed)), .init("notDecided", .count($0.undecided)),
              .init("supposed", .count($0.after)),
            ])
          })),
      .init(
        "cost",
        .object([
          .init("recordedMicroUsd", .count(cost.before)),
          .init("supposedMicroUsd", .count(cost.after)), .init("unknown", .count(cost.unknown)),
          .init("unknownRecordedMicroUsd", .count(cost.unknownBefore)),
        ])), .init("terms", .array(Self.terms.map { .text($0) })),
    ])
  }
}
