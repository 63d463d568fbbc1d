public import Domain
public import EventStore
import Foundation
public import Inquiry
public import Views

/// The views of a directory held against its log, and made anew where no gateway runs.
public enum ViewCheck {
  /// What a comparison found.
  public struct Report: Sendable {
    /// Through where both were compared: `epoch:position`; nil: nothing was.
    public var place: String?
    /// Each table as it is, and as the log gives it.
    public var tables: [(found: ViewStore.TableDigest, expected: ViewStore.TableDigest)] = []
    /// The first row that only one of them has; nil also where one has the same row more often.
    public var difference: ViewStore.Difference?
    /// Why the file cannot be compared at all; it is made anew then, so that nothing is lost.
    public var fault: ViewFault?

    /// Whether the file holds exactly what the log gives.
    public var isSame: Bool {
      fault == nil && difference == nil && !tables.isEmpty
        && tables.allSatisfy { $0.found == $0.expected }
    }
  }

  /// Told how far reading the log is: where it is, and where it goes.
  public typealias Progress = (_ position: UInt64, _ end: UInt64) -> Void

  private static func path(_ directory: String) -> String { directory + "/views/usage.sqlite" }

  /// Builds the views in a directory of their own, through where the file is, and compares; changes nothing in
  /// `directory`, and works beside a gateway that writes to it.
  ///
  /// - Throws: `StoreError` where the log cannot be read or is damaged, `ControlError.unreadable`.
  public static func run(directory: String, progress: Progress) throws -> Report {
    let log = try LogReader.open(directory: directory)
    let place = FileManager.default.temporaryDirectory
      .appending(path: "signalbox-views-\(uuidText(Edge.system.mintID()))").path
    try FileManager.default.createDirectory(
      atPath: place, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? FileManager.default.removeItem(atPath: place) }
    let found: ViewStore
    do {
      try ViewStore.copy(path: path(directory), to: place + "/found.sqlite")
      found = try ViewStore(path: place + "/found.sqlite", storeID: log.storeID)
    } catch let fault as ViewFault {
      return Report(fault: fault)
    }
    defer { try? found.close() }
    let checkpoint = found.checkpoint
    let end = Position(checkpoint.position)
    // The copy may have what was written since the log was opened.
    try log.refresh()
    guard end <= log.last else {
      // A tail that a crash cut short is no damage: what it held was never promised to stay.
      for gap in try log.damage() where !gap.isUnprovenTail { try gap.requireAccepted() }
      return Report(fault: .astray("they reach position \(end), the log \(log.last)"))
    }
    let fold = ViewFold(reader: log)
    guard try fold.chain(at: end) == checkpoint.chain else {
      return Report(fault: .astray("the log's chain is another one at position \(end)"))
    }
    let expected = try ViewStore(path: place + "/expected.sqlite", storeID: log.storeID)
    defer { try? expected.close() }
    while try fold.step(into: expected, through: end) {
      progress(expected.checkpoint.position, end.rawValue)
    }
    var report = Report(
      place: try log.event(at: end).map { "\($0.epoch):\($0.position)" } ?? "\(end)")
    let digests = try expected.digests()
    do {
      report.tables = Array(zip(try found.digests(), digests))
      // The digests tell by names, as the views for people do; so a name that was changed by hand shows as well.
      if report.tables.contains(where: { $0.found != $0.expected }) {
        report.difference = try found.difference(from: expected)
      }
    } catch let fault as ViewFault {
      // Some page of it is broken: there is no table to compare.
      return Report(place: report.place, fault: fault)
    }
    return report
  }

  /// Throws the views of an open log away and makes them anew, and notes it in the log.
  ///
  /// - Parameter store: Of `directory`, which no gateway has open then.
  /// - Returns: through where they are.
  public static func rebuild(
    _ store: EventStore, directory: String, provenance: Provenance, progress: Progress
  ) throws -> Position {
    try FileManager.default.createDirectory(
      atPath: directory + "/views", withIntermediateDirectories: true,
      attributes: [.posixPermissions: 0o700])
    try ViewStore.remove(path: path(directory))
    let views = try ViewStore(path: path(directory), storeID: store.reader.storeID)
    let fold = ViewFold(reader: store.reader)
    do {
      while try fold.step(into: views) {
        progress(views.checkpoint.position, store.lastWritten.rawValue)
      }
    } catch {
      try? views.close()
      throw error
    }
    let reached = views.checkpoint.position
    try views.close()
    try store.note(
      .gateway(.viewRebuilt(.init(view: "usage", reason: .asked, position: reached))), provenance)
    return Position(reached)
  }
}

extension ViewCheck.Report {
  /// For people, without a line break at the end.
  public var text: String {
    if let fault { return "DIFFERENT: \(Shown.text(fault.description))" }
    var lines = ["compared through \(place ?? "0")"]
    for (found, expected) in tables {
      let isSame = found == expected
      lines.append(
        "\(isSame ? "same     " : "DIFFERENT") \(found.table): \(found.rows) rows"
          + (isSame ? "" : ", the log gives \(expected.rows)"))
    }
    if let difference {
      lines.append(
        "first difference, in \(difference.table): \(difference.isHere ? "only the file" : "only the log")"
          + " has \(Shown.text(difference.row))")
    }
    return lines.joined(separator: "\n")
  }

  /// For machines.
  public var json: JSONTree {
    return .object([
      .init("isSame", .bool(isSame)), .init("through", place.map { .text($0) } ?? .null),
      .init("fault", fault.map { .text($0.description) } ?? .null),
      .init(
        "tables",
        .array(
          tables.map { found, expected in
            .object([
              .init("table", .text(found.table)),
              .init("isSame", .bool(found == expected)),
              .init("rows", .number(Int64(found.rows))),
              .init("rowsOfLog", .number(Int64(expected.rows))),
              .init("digest", .text(hexadecimalText(found.digest))),
              .init("digestOfLog", .text(hexadecimalText(expected.digest))),
            ])
          })),
      .init(
        "difference",
        difference.map { difference in
          .object([
            .init("table", .text(difference.table)), .init("row", .text(difference.row)),
            .init("onlyIn", .text(difference.isHere ? "file" : "log")),
          ])
        } ?? .null),
    ])
  }
}

extension EventStore {
  /// Appends an event of the gateway's own life, durably; blocks.
  func note(_ event: Event, _ provenance: Provenance = .system) throws {
    let edge = Edge.system
    let draft = EventDraft(
      id: EventID(edge.mintID()), stream: event.stream, kind: event.kind, time: edge.now().rawValue,
      lookupKeys: event.lookupKeys, payload: encode(event, provenance))
    _ = try appendAndWait(AppendBatch(events: [draft]), durability: .durable)
  }
}
