import Domain
import EventStore

// What the report says, in the order of docs/runbooks/postmortem.md's template.
extension IncidentReport {
  typealias Inline = Document.Inline
  static let rowsMax = 10

  /// What every rendering is made from.
  var pages: Document {
    var blocks: [Document.Block] = []
    if ends != nil {
      blocks += whatHappened + charts + whoNoticed + timelineBlocks + why + helpedBlocks + actions
      blocks += notRecorded
    }
    return Document(
      title: title, badge: main?.severity.name ?? "No rung of the ladder",
      badgeKind: main.map { "sev\($0.severity.rawValue)" } ?? "none", summary: lead + minimised,
      facts: ends == nil ? [] : facts, blocks: blocks, colophon: colophon)
  }

  // MARK: Head

  private var date: String {
    ends.map { String(rfc3339((main?.began ?? $0.first).time).prefix(10)) } ?? ""
  }

  var failed: Share {
    Share(part: impact.figures.failed, whole: impact.figures.counted)
  }

  private var refused: Share {
    Share(part: impact.figures.callers, whole: impact.figures.requests)
  }

  private var title: String {
    guard let ends else {
      return gaps.isEmpty ? "Nothing to report" : "Nothing can be told: the log is damaged"
    }
    guard let main else {
      return "\(date) No incident by the ladder"
        + (isAboutRefusals
          ? ", and \(refused.percent) of requests refused at their callers' fault" : "")
    }
    let clock = { (time: UnixNanoseconds) in String(rfc3339(time).dropFirst(11).prefix(5)) }
    let until = main.goesOn ? "and goes on" : "to \(clock(main.last.time))"
    let when = "from \(clock(main.began.time)) \(until) UTC"
    _ = ends
    if impact.figures.failed > 0 {
      return "\(date) \(failed.percent) of requests failed \(when)"
    }
    if main.episodes.contains(where: { $0.rule == .notRunning }) {
      return "\(date) The gateway did not run \(when)"
    }
    if impact.late > 0 {
      let late = Share(part: impact.late, whole: impact.figures.firstByte.count)
      return "\(date) \(late.percent) of answers came late \(when)"
    }
    return "\(date) \(main.episodes[0].name) \(when)"
  }

  /// The first line, as the command tells it.
  public var headline: String { "\(main?.severity.name ?? "no incident"): \(title)" }

  private var lead: [Inline] {
    guard let ends else { return [.text("The window holds no event. \(coverage.text)")] }
    guard let main else {
      return [
        .text("Between "), .place(ends.first.place), .text(" and "), .place(ends.last.place),
        .text(" nothing held long enough for a rung: \(failed.text) requests failed."),
        .text(
          isAboutRefusals
            ? " \(refused.text) were refused at their callers' fault, which neither the ladder nor an alert counts as failure. "
              + "If it was an edit of yours that took a key, a name or room from them, they are out: SEV-2."
            : ""),
      ]
    }
    let worst = worstEpisode(main)
    return [
      .text("\(worst.name): \(worst.rule.text)"),
      .text(main.recurred ? "; it came back within 15 minutes, so one rung up" : ""), .text("."),
    ]
  }

  private var minimised: [Inline] {
    guard isMinimised else { return [] }
    return [
      .text(" "), .strong("Made from a minimised bundle"),
      .text(
        ": what it does not need for the claims that it keeps was taken out, so figures here may be less than they were."
      ),
    ]
  }

  private func worstEpisode(_ main: Incident) -> Episode {
    main.episodes.enumerated().min {
      ($0.element.rule.severity.rawValue, $0.element.began.time, $0.offset)
        < ($1.element.rule.severity.rawValue, $1.element.began.time, $1.offset)
    }?.element ?? main.episodes[0]
  }

  private var facts: [Document.Fact] {
    guard let ends else { return [] }
    var facts: [Document.Fact] = []
    func add(_ name: String, _ value: Inline...) { facts.append(.init(name: name, value: value)) }
    if let main {
      add("Began", .time(main.began.time), .text(" "), .place(main.began.place))
      if main.goesOn {
        add("Over", .text("not within the window, which ends at "), .time(ends.last.time))
      } else {
        add("Over", .time(main.last.time), .text(" "), .place(main.last.place))
      }
      add("Lasted", .text(Shown.length(main.length) + (main.goesOn ? " so far" : "")))
      let due = UnixNanoseconds(main.began.time.rawValue &+ main.severity.resolveWithin)
      let isMet = main.goesOn ? ends.last.time <= due : main.last.time <= due
      add(
        "To be over by", .time(due),
        .text(isMet ? (main.goesOn ? " (not yet reached)" : " (met)") : " (missed)"))
    }
    var versions: [String] = []
    for build in builds where versions.last != build.version { versions.append(build.version) }
    add(
      "Build",
      .text(versions.isEmpty ? "not told" : versions.map(Shown.text).joined(separator: ", then ")))
    add("Led by", .slot("name"))
    add("Written by", .slot("name"))
    return facts
  }

  // MARK: What happened

  private var whatHappened: [Document.Block] {
    var line: [Inline] = []
    if let main {
      line += [
        .text("From "), .time(main.began.time), .text(" ("), .place(main.began.place),
        .text(main.goesOn ? ") to the end of the window (" : ") to "),
      ]
      line +=
        main.goesOn
        ? [.place(ends?.last.place ?? "")]
        : [.time(main.last.time), .text(" ("), .place(main.last.place)]
      line += [.text("), "), .strong(failed.text), .text(" requests failed")]
      if let code = impact.codes.rows.first, code.failed > 0 {
        line.append(
          .text(", \(Share(part: code.failed, whole: impact.figures.failed).percent) of them with ")
        )
        line.append(.code(code.name))
      }
      line.append(.text(". "))
      line += likeliest
      if let last = helped.last {
        line += [
          .text("It got better after "), .place(last.places.first ?? ""),
          .text(" by \(last.who): \(last.what)."),
        ]
      } else if !main.goesOn {
        line.append(.text("It ended without an edit that would explain it."))
      }
    } else {
      line = [
        .text("\(Shown.grouped(impact.figures.requests)) requests ended in the window, "),
        .text("\(failed.text) failed, and no condition of the ladder held long enough. "),
      ]
      if isAboutRefusals, let span = refusedSpan {
        line += [
          .strong(refused.text), .text(" were refused at their callers' fault, between "),
          .place(span.first.place), .text(" and "), .place(span.last.place),
        ]
        if let code = impact.refusals.rows.first {
          let share = Share(part: code.counted, whole: impact.figures.callers)
          line += [.text(", \(share.percent) of them with "), .code(code.name)]
        }
        line.append(.text(". "))
      } else if let span = failedSpan, span.first != span.last {
        line += [
          .text("They failed between "), .place(span.first.place), .text(" and "),
          .place(span.last.place), .text(". "),
        ]
      }
      line += likeliest
    }
    var blocks: [Document.Block] = [
      .heading("What happened", id: "what-happened"), .paragraph(line),
      .paragraph([.slot("Three sentences for somebody who was asleep, in place of these.")]),
    ]
    let others = incidents.filter { $0 != main }
    if !others.isEmpty {
      blocks.append(
        .table(
          .init(
            caption: "Other incidents of the window",
            columns: [
              .init("severity"), .init("began"), .init("position"), .init("lasted"),
              .init("first condition", isWide: true),
            ],
            rows: others.prefix(Self.rowsMax).map { one in
              [
                [.strong(one.severity.name)], [.time(one.began.time)], [.place(one.began.place)],
                [.text(one.goesOn ? "goes on" : Shown.length(one.length))],
                [.text(one.episodes[0].name)],
              ]
            }, note: Self.more(others.count, "incident"))))
    }
    return blocks
  }

  private var likeliest: [Inline] {
    guard let likely = contributions.first else {
      return failedSpan == nil && !isAboutRefusals
        ? [] : [.text("Nothing in the log stands out as a contribution. ")]
    }
    return [
      .text("The likeliest contribution is "), .place(likely.places.first ?? ""),
      .text(likely.who.isEmpty ? ": \(likely.what). " : " by \(likely.who): \(likely.what). "),
    ]
  }

  static func more(_ count: Int, _ noun: String, of most: Int = rowsMax) -> String {
    count > most ? "… and \(Shown.count(count - most, "more \(noun)"))." : ""
  }

  // MARK: Timeline

  private var timelineBlocks: [Document.Block] {
    [
      .heading("Timeline (UTC)", id: "timeline"),
      .table(
        .init(
          caption: "",
          columns: [
            .init("time"), .init("position"), .init("what", isWide: true), .init("who"),
          ],
          rows: timeline.map { row in
            [
              [.time(row.time)], [.place(row.place)], [.text(row.what)],
              [.text(row.who)],
            ]
          }, kinds: timeline.map(\.kind.rawValue),
          note: timelineOmitted > 0
            ? "\(Shown.count(timelineOmitted, "row")) left out, of accounts' health first: `replay window` has all."
            : "")),
      .paragraph([
        .slot("When it was noticed, by which alert or by whom; when it was said to whom.")
      ]),
    ]
  }

  // MARK: Why

  private var why: [Document.Block] {
    var blocks: [Document.Block] = [.heading("Why", id: "why")]
    guard main != nil || isAboutRefusals else {
      blocks.append(.paragraph([.text("No incident, so nothing contributed to one.")]))
      return blocks
    }
    blocks.append(
      .paragraph([
        .text(
          (main == nil
            ? "What may have made callers' requests be refused" : "Contributing events")
            + ", the likeliest first, from an hour before it began on. The order follows from the rules in docs/replay.md; it is where to look, not a verdict."
        )
      ]))
    if contributions.isEmpty {
      blocks.append(.paragraph([.text("No event of the log meets a rule.")]))
    } else {
      blocks.append(
        .table(
          .init(
            caption: "",
            columns: [
              .init("#", isNumber: true), .init("time"), .init("position"),
              .init("what", isWide: true), .init("what speaks for it", isWide: true), .init("rule"),
            ],
            rows: contributions.enumerated().map { at, it in
              [
                [.text(String(at + 1))], [.time(it.time)], Self.places(it.places),
                [.text(it.what + (it.who.isEmpty ? "" : " — by \(it.who)"))], [.text(it.evidence)],
                [.code(it.rule.rawValue)],
              ]
            })))
    }
    if !actors.isEmpty {
      blocks.append(
        .table(
          .init(
            caption: "Who edited, from an hour before it began on",
            columns: [
              .init("who", isWide: true), .init("edits", isNumber: true), .init("first"),
              .init("last"),
            ],
            rows: actors.prefix(Self.rowsMax).map { it in
              [
                [.text(it.name)], [.text(String(it.edits))], [.place(it.first.place)],
                [.place(it.last.place)],
              ]
            }, note: Self.more(actors.count, "name"))))
    }
    blocks.append(
      .paragraph([
        .slot(
          "The chain from the trigger to what clients noticed; what made it possible; what made it last."
        )
      ]))
    return blocks
  }

  private static func places(_ places: [String]) -> [Inline] {
    places.enumerated().flatMap { at, place in
      at == 0 ? [Inline.place(place)] : [.text(", "), .place(place)]
    }
  }

  // MARK: What helped

  private var helpedBlocks: [Document.Block] {
    guard let main else { return [] }
    var blocks: [Document.Block] = [
      .heading("What helped, what was in the way", id: "what-helped"),
      .table(
        .init(
          caption: "Alerts that the log says should have rung",
          columns: [
            .init("alert", isWide: true), .init("severity"), .init("held from"),
            .init("should ring"),
            .init("did"),
          ],
          rows: main.episodes.prefix(20).map { it in
            [
              [.text(it.name)], [.text(it.rule.severity.name)], [.place(it.began.place)],
              [.time(it.rang)], [.slot("yes, no")],
            ]
          }, note: Self.more(main.episodes.count, "alert", of: 20))),
    ]
    if helped.isEmpty {
      blocks.append(.paragraph([.text("No edit of the incident was followed by fewer failures.")]))
    } else {
      blocks.append(
        .table(
          .init(
            caption: "Edits after which it got better",
            columns: [
              .init("time"), .init("position"), .init("what", isWide: true),
              .init("what speaks for it", isWide: true),
            ],
            rows: helped.map { it in
              [
                [.time(it.time)], Self.places(it.places), [.text("\(it.what) — by \(it.who)")],
                [.text(it.evidence)],
              ]
            })))
    }
    blocks.append(
      .paragraph([.slot("Runbooks: which step was wrong or missing; change it in the same week.")]))
    return blocks
  }

  private var colophon: [Inline] {
    guard let ends else { return [.text("Store "), .code(coverage.storeID)] }
    return [
      .text("Made by "), .code("replay report"), .text(" from store "), .code(coverage.storeID),
      .text(", positions "), .place(ends.first.place), .text(" to "), .place(ends.last.place),
      .text(", which ends at "), .time(ends.last.time),
      .text(". The same log gives the same bytes. Times are UTC. What is in "), .slot("slots"),
      .text(" is for people to fill in; all else is counted."),
    ]
  }

  /// As Markdown.
  public var text: String { pages.markdown }

  /// As a page of its own: no network, no script.
  public var html: String { pages.html }
}
