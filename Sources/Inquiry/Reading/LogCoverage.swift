public import Domain
public import EventStore

/// What a log holds, for every answer's header and for empty answers.
public struct LogCoverage: Sendable, Hashable {
  /// The store's identity, as a UUID.
  public var storeID: String
  /// `epoch:position` of the first and last readable event, nil for an empty log.
  public var first: Moment?
  /// The last readable event.
  public var last: Moment?
  /// There is no readable event because what there was is damaged.
  public var isUnreadable: Bool
  /// What the bundle says of itself; nil: it is a log's directory.
  public var bundle: BundleFacts?

  /// An event's place and time.
  public struct Moment: Sendable, Hashable {
    /// `epoch:position`.
    public var place: String
    /// By the author's clock.
    public var time: UnixNanoseconds
  }

  init(_ log: LogReader) throws(InquiryFault) {
    storeID = uuidText(log.storeID)
    let end = log.last
    bundle = log.bundle
    func moment(_ position: Position) throws(InquiryFault) -> Moment? {
      guard position.rawValue > 0 else { return nil }
      let event = try reading { () throws(StoreError) in try log.event(at: position) }
      return event.map {
        Moment(place: "\($0.epoch):\($0.position)", time: UnixNanoseconds($0.time))
      }
    }
    first = end.rawValue > 0 ? try moment(log.first) : nil
    last = try moment(end)
    let behind = end == .origin ? try Replay.gapsAtEnd(of: log, behind: end) : []
    isUnreadable = !behind.isEmpty
  }

  /// One sentence.
  var text: String {
    guard let last else {
      return isUnreadable ? "Nothing of the log can be read." : "The log is empty."
    }
    let start = first.map { "\($0.place) (\(rfc3339($0.time)))" } ?? "a damaged beginning"
    return
      "The \(bundle == nil ? "log" : "bundle") covers \(start) through \(last.place) (\(rfc3339(last.time)))."
  }

  /// What must be known of a bundle, a line each; empty for a log's directory.
  var bundleLines: [String] {
    guard let bundle else { return [] }
    var lines: [String] = []
    if bundle.isMinimised {
      lines.append(
        "only what this needs is in it, and what is not there may have been: "
          + Shown.text(bundle.note))
    } else if !bundle.note.isEmpty {
      lines.append(Shown.text(bundle.note))
    }
    if bundle.earlier > 0 {
      lines.append(
        "\(Shown.count(bundle.earlier, "event")) before the window: "
          + (bundle.isHistoryWhole
            ? "all that was configured" : "not all that was configured")
          + "; the chain does not reach them")
    }
    if bundle.altered > 0 {
      lines.append(
        "in \(Shown.count(bundle.altered, "event")) clients' addresses are x: the chain has what was recorded"
      )
    }
    return lines
  }

  var json: JSONTree {
    func moment(_ moment: Moment?) -> JSONTree {
      guard let moment else { return .null }
      return .object([
        .init("at", .text(moment.place)), .init("time", .text(rfc3339(moment.time))),
      ])
    }
    var members: [JSONTree.Member] = [
      .init("store", .text(storeID)), .init("first", moment(first)), .init("last", moment(last)),
    ]
    if let bundle {
      members.append(
        .init(
          "bundle",
          .object([
            .init("digest", .text(bundle.digest.description)),
            .init("isMinimised", .bool(bundle.isMinimised)),
            .init("isHistoryWhole", .bool(bundle.isHistoryWhole)),
            .init("withheld", .count(bundle.withheld)), .init("altered", .count(bundle.altered)),
          ])))
    }
    return .object(members)
  }
}

extension LogReader {
  /// Refuses to tell of a position that a bundle leaves out.
  ///
  /// - Throws: `.notCovered`; never for a log's directory.
  func requireCovered(_ position: Position) throws(InquiryFault) {
    guard bundle != nil, position.rawValue > 0, position <= last else { return }
    let event = try reading { () throws(StoreError) in try self.event(at: position) }
    guard event == nil else { return }
    throw InquiryFault(
      .notCovered,
      "Position \(position) is not in this bundle. \(try LogCoverage(self).text) Ask the log that it was made of."
    )
  }
}

extension LogGap {
  /// One line for people.
  var text: String {
    let end =
      last.map { $0 < first ? ", no event lost" : $0 == first ? "" : " through \($0)" }
      ?? " to the end"
    let name = path.split(separator: "/").last.map(String.init) ?? path
    let kind = isAccepted ? "accepted loss" : isUnprovenTail ? "unproven tail" : "damaged"
    let times = [
      minTime.map { ", after \(rfc3339(UnixNanoseconds($0)))" },
      maxTime.map { ", before \(rfc3339(UnixNanoseconds($0)))" },
    ].compactMap(\.self)
    return "\(kind): position \(first)\(end)\(times.joined())"
      + " (\(Shown.text(name)) at byte \(offset), \(Shown.text(rule)): \(Shown.text(message)))"
  }

  var json: JSONTree {
    .object([
      .init("first", .count(first.rawValue)), .init("last", .count(last?.rawValue)),
      .init("file", .text(path.split(separator: "/").last.map(String.init) ?? path)),
      .init("offset", .count(offset)), .init("rule", .text(rule)),
      .init("message", .text(message)), .init("isUnprovenTail", .bool(isUnprovenTail)),
      .init("isAccepted", .bool(isAccepted)),
      .init("after", .text(minTime.map { rfc3339(UnixNanoseconds($0)) })),
      .init("before", .text(maxTime.map { rfc3339(UnixNanoseconds($0)) })),
    ])
  }
}
