public import EventStore
public import Views

/// Whether the tables in SQLite beside the log hold what its events give.
///
/// They are held against the log at their own place in it, which is behind its end by what a gateway took in since.
public struct ViewVerdict: Sendable, Hashable {
  /// What came of it.
  public enum Finding: Sendable, Hashable {
    /// There is nothing to compare: why.
    case none(String)
    /// They have taken in nothing of a log that has events.
    case empty
    /// Every table has the rows that the log gives.
    case same
    /// At least one has others.
    case differ
    /// They cannot be read, or are of another log; a gateway makes them anew.
    case unusable(ViewFault)
    /// The log is damaged, so nobody can tell what they should hold: why.
    case logDamaged(String)
    /// They are another build's, of another layout.
    case otherLayout(ViewFault)
  }

  /// What came of it.
  public var finding: Finding
  /// The last event in them, `epoch:position`; nil: there is none, or they were not compared.
  public var through: String?
  /// Events of the log that they do not have yet; nil: they were not compared.
  public var behind: UInt64?
  /// Each table as it is, and as the log gives it.
  public var tables: [ViewComparison.Table] = []
  /// The first row that differs.
  public var difference: ViewStore.Difference?

  init(_ finding: Finding) { self.finding = finding }

  /// Whether they hold exactly what the log gives.
  public var isSame: Bool { finding == .same }

  /// Whether they are not what the log gives, so that answers made of them may be wrong.
  public var isWrong: Bool {
    switch finding {
    case .differ, .unusable: true
    case .none, .empty, .same, .logDamaged, .otherLayout: false
    }
  }
}

extension Replay {
  /// Makes the views anew in TMPDIR, through where those beside the log are, and compares row by row.
  ///
  /// Writes nothing beside the log, and works while a gateway does.
  ///
  /// - Throws: `InquiryFault` (`.log`) where the log cannot be read or there is no room in TMPDIR.
  public static func compareViews(
    _ log: LogReader, progress: Progress? = nil
  ) throws(InquiryFault) -> ViewVerdict {
    guard log.bundle == nil else { return ViewVerdict(.none("a bundle has none")) }
    let fold = ViewFold(reader: log)
    do {
      let comparison = try ViewComparison(
        path: log.directory + "/views/usage.sqlite", storeID: log.storeID,
        hasWriter: { log.hasWriter }
      ) { views, found in
        let end = Position(found.position)
        // They may have what was written since the log was opened.
        try log.refresh()
        guard end <= log.last else {
          // A tail that a crash cut short is no damage: what it held was never promised to stay.
          for gap in try log.damage() where !gap.isUnprovenTail && !gap.isAccepted {
            throw InquiryFault(.damaged, "the log is damaged: \(gap.text)")
          }
          throw ViewFault.astray("they reach position \(end), the log \(log.last)")
        }
        guard try fold.chain(at: end) == found.chain else {
          throw ViewFault.astray("the log's chain is another one at position \(end)")
        }
        while try fold.step(into: views, through: end) {
          progress?(Position(views.checkpoint.position))
        }
      }
      let position = Position(comparison.checkpoint.position)
      let isEmpty = comparison.isSame && position == .origin && log.last > .origin
      var verdict = ViewVerdict(comparison.isSame ? isEmpty ? .empty : .same : .differ)
      verdict.behind = log.last.rawValue - position.rawValue
      verdict.through =
        try log.event(at: position).map { "\($0.epoch):\($0.position)" }
        ?? (position == .origin ? nil : "\(position)")
      verdict.tables = comparison.tables
      verdict.difference = comparison.difference
      return verdict
    } catch ViewFault.missing {
      return ViewVerdict(.none("the log's directory has none; a gateway makes them"))
    } catch let fault as ViewFault {
      if case .layout = fault { return ViewVerdict(.otherLayout(fault)) }
      return ViewVerdict(.unusable(fault))
    } catch let fault as InquiryFault where fault.code == .damaged {
      return ViewVerdict(.logDamaged(fault.message))
    } catch let error as StoreError where error.code == .damaged {
      return ViewVerdict(.logDamaged(error.description))
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(
        .log, "The views cannot be compared: \(error). There must be room in TMPDIR for them twice."
      )
    }
  }
}

extension ViewVerdict {
  private var word: String {
    switch finding {
    case .none: "none"
    case .empty: "empty"
    case .same: "same"
    case .differ: "differ"
    case .unusable: "unusable"
    case .logDamaged, .otherLayout: "notCompared"
    }
  }

  private var why: String? {
    switch finding {
    case .none(let why), .logDamaged(let why): why
    case .unusable(let fault), .otherLayout(let fault): fault.description
    case .empty, .same, .differ: nil
    }
  }

  /// For people, without a line break at the end.
  public var text: String {
    let late = (behind ?? 0) > 0 ? ", behind by \(Shown.count(behind ?? 0, "event"))" : ""
    var lines: [String]
    switch finding {
    case .none: lines = ["none"]
    case .empty: lines = ["nothing in them yet\(late)"]
    case .same: lines = ["same through \(through ?? "0")\(late)"]
    case .differ: lines = ["DIFFER from the log through \(through ?? "0")\(late)"]
    case .unusable: lines = ["UNUSABLE"]
    case .logDamaged, .otherLayout: lines = ["not compared"]
    }
    if let why { lines[0] += ": \(Shown.text(why))" }
    for table in tables where !table.isSame {
      lines.append(
        "  table    \(table.found.table): \(Shown.count(table.found.rows, "row")), the log gives "
          + "\(table.expected.rows)")
    }
    if let difference {
      lines.append("  first    in \(difference.table)")
      lines.append("  file     \(difference.here.map(Shown.text) ?? "no such row")")
      lines.append("  log      \(difference.there.map(Shown.text) ?? "no such row")")
    }
    return lines.joined(separator: "\n")
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("verdict", .text(word)), .init("isSame", .bool(isSame)), .init("why", .text(why)),
      .init("through", .text(through)), .init("behind", .count(behind)),
      .init(
        "tables",
        .array(
          tables.map { table in
            .object([
              .init("table", .text(table.found.table)), .init("isSame", .bool(table.isSame)),
              .init("rows", .count(table.found.rows)),
              .init("rowsOfLog", .count(table.expected.rows)),
              .init("digest", .text(Shown.hex(table.found.digest))),
              .init("digestOfLog", .text(Shown.hex(table.expected.digest))),
            ])
          })),
      .init(
        "difference",
        difference.map { difference in
          .object([
            .init("table", .text(difference.table)), .init("file", .text(difference.here)),
            .init("log", .text(difference.there)),
          ])
        } ?? .null),
    ])
  }
}
