import Domain
import EventStore

// What people are to do, and what nobody can know from the log.
extension IncidentReport {
  // MARK: What we do

  var actions: [Document.Block] {
    guard let main, let ends else { return [] }
    let over = main.goesOn ? ends.last.time : main.last.time
    let due = String(rfc3339(Self.day(over, after: main.severity.actionDays)).prefix(10))
    var paragraph: [Inline] = []
    if main.severity < .sev3 {
      let by = String(rfc3339(Self.workingDay(over, after: 5)).prefix(10))
      paragraph.append(
        .text("This page is due on \(by), five working days after it was over. "))
    }
    paragraph.append(
      .text("Each action is a ticket with a name and a day; \"be more careful\" is none."))
    return [
      .heading("What we do", id: "what-we-do"), .paragraph(paragraph),
      .table(
        .init(
          caption: "",
          columns: [
            .init("action", isWide: true), .init("who"), .init("until when"),
            .init("prevents, notices or shortens"),
          ],
          rows: (1...3).map { number in
            [
              [.slot("action \(number)")], [.slot("name")], [.text(due)],
              [.slot(["prevents", "notices", "shortens"][number - 1])],
            ]
          })),
    ]
  }

  private static let dayLength: Int64 = 86_400_000_000_000

  private static func day(_ time: UnixNanoseconds, after days: Int64) -> UnixNanoseconds {
    UnixNanoseconds(time.rawValue.addingReportingOverflow(days * dayLength).partialValue)
  }

  /// The day so many days from Monday to Friday later.
  static func workingDay(_ time: UnixNanoseconds, after days: Int) -> UnixNanoseconds {
    var (at, left) = (time.rawValue / dayLength, days)
    while left > 0 {
      at += 1
      // Day 0 was a Thursday.
      if (at + 3) % 7 < 5 { left -= 1 }
    }
    return UnixNanoseconds(at.multipliedReportingOverflow(by: dayLength).partialValue)
  }

  // MARK: What was not recorded

  var notRecorded: [Document.Block] {
    var lines: [[Inline]] = []
    for line in coverage.bundleLines { lines.append([.text(line)]) }
    for gap in gaps { lines.append([.strong("Damage"), .text(": \(gap.text)")]) }
    if !unrecorded.text.isEmpty {
      for line in unrecorded.text.split(separator: "\n") { lines.append([.text(String(line))]) }
    }
    for doubt in doubts { lines.append([.place(doubt.place), .text(" \(doubt.what)")]) }
    for build in builds where build.recording == .relaxed || build.recording == .off {
      lines.append([
        .place(build.moment.place),
        .text(
          build.recording == .off
            ? " started with recording off: requests left no record"
            : " started with recording relaxed: a crash may have taken the last 5 ms of records"),
      ])
    }
    if impact.interrupted > 0 {
      lines.append([
        .text(
          "\(Shown.count(impact.interrupted, "request")) in flight at a crash: how they ended is not known"
        )
      ])
    }
    if impact.deniedInSummaries > 0 {
      lines.append([
        .text(
          "\(Shown.grouped(impact.deniedInSummaries)) refused requests were counted and not told one by one"
        )
      ])
    }
    if lines.isEmpty {
      lines.append([.text("Records lost: none. No position of the window is missing or damaged.")])
    }
    if otherTimes > 0 {
      lines.append([
        .text(
          "\(Shown.count(otherTimes, "event")) between the times asked for \(otherTimes == 1 ? "has another time" : "have other times"), as a clock was set or they came in out of order: they count too"
        )
      ])
    }
    lines.append([
      .text(
        "No log holds it: requests that never reached the gateway, what providers wrote in their errors, tokens of calls that were made again, records that waited for the disk, memory, and whether an alert reached anybody."
      )
    ])
    return [.heading("What was not recorded", id: "not-recorded"), .list(lines)]
  }
}
