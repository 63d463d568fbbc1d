package import EventStore

/// What damage to a copy of a directory came to.
package enum DamageOutcome: String, Sendable {
  /// All answers are the same.
  case harmless
  /// The damaged place was named, with its file.
  case named
  /// An index that costs no event; a check of the log named it, and the sealer made it again.
  case indexOnly
  /// The last group could also be an append that a crash cut short; it is reported as that.
  case unprovenTail
}

/// Reads and opens a damaged copy of a log that held `events`.
///
/// - Returns: what the damage came to.
/// - Throws: `Violation` for a wrong answer, and for a loss that nothing names.
@discardableResult
package func checkDamaged(
  _ disk: any Disk, directory: String = "/log", _ events: [StoredEvent], _ what: String,
  segmentBytes: Int = 600
) throws -> DamageOutcome {
  var outcome = DamageOutcome.harmless
  do {
    outcome = try checkReader(try LogReader(disk: disk, directory: directory), events, what)
  } catch let error as StoreError {
    guard [.damaged, .notAStore].contains(error.code), error.path != nil else {
      throw Violation(.wrong, "\(what): \(error)")
    }
    outcome = .named
  }
  let before = try segments(disk, directory)
  func hasIndex(_ path: String) -> Bool {
    let name = String(path.dropFirst(directory.utf8.count + "/seg/".utf8.count))
    return before[name.replacing(".esl", with: ".idx")] != nil
  }
  do {
    let store = try SteppedStore(disk, directory: directory, segmentBytes: segmentBytes)
    defer { store.abandon() }
    let (left, gaps) = try everything(store.reader)
    if !gaps.isEmpty {
      // Blocks that an index speaks for are not read at opening; their damage shows as it does to a reader.
      guard outcome == .named,
        gaps.allSatisfy({ $0.path.hasSuffix(".sealed") || hasIndex($0.path) })
      else { throw Violation(.wrong, "\(what): opened for writing with a gap") }
      return try checkReader(store.reader, events, what)
    }
    guard left.count <= events.count, left == Array(events.prefix(left.count)) else {
      throw Violation(.wrong, "\(what): opened for writing with other events")
    }
    guard left.count == events.count || store.report.truncated != nil else {
      throw Violation(.silent, "\(what): \(events.count - left.count) events cut off")
    }
    if left.count < events.count {
      guard outcome == .unprovenTail else {
        throw Violation(.silent, "\(what): cut off what a reader calls \(outcome)")
      }
    } else if outcome == .indexOnly {
      // What was derived from the events is derived again.
      _ = try store.reader.verify(from: .origin, through: nil, progress: nil)
      while store.sealer.step() {}
      guard try checkReader(LogReader(disk: disk, directory: directory), events, what) == .harmless
      else { throw Violation(.silent, "\(what): an index was not made again") }
    }
  } catch let error as StoreError {
    guard [.damaged, .notAStore].contains(error.code), error.path != nil else {
      throw Violation(.wrong, "\(what): \(error)")
    }
    if try segments(disk, directory) != before {
      throw Violation(.silent, "\(what): refused, but changed a segment")
    }
    // A reader may pass over what a writer must not, for example a manifest of another past.
    outcome = .named
  }
  return outcome
}

private func segments(_ disk: any Disk, _ directory: String) throws -> [String: [UInt8]] {
  var found: [String: [UInt8]] = [:]
  for name in try disk.list(directory + "/seg") where !name.hasSuffix(".tmp") {
    let file = try disk.open(directory + "/seg/" + name, .read)
    defer { file.close() }
    found[name] = try file.readAll(limit: 1 << 30)
  }
  return found
}

private func checkReader(
  _ reader: LogReader, _ original: [StoredEvent], _ what: String
) throws -> DamageOutcome {
  let (events, gaps) = try everything(reader)
  var isThere = [Bool](repeating: false, count: original.count)
  for event in events {
    let index = Int(event.position.rawValue) - 1
    guard original.indices.contains(index), original[index] == event, !isThere[index] else {
      throw Violation(.wrong, "\(what): a wrong event at \(event.position)")
    }
    isThere[index] = true
  }
  for (index, isThere) in isThere.enumerated() where !isThere {
    let position = Position(UInt64(index) + 1)
    guard gaps.contains(where: { $0.first <= position && position <= $0.last ?? Position(.max) })
    else { throw Violation(.silent, "\(what): \(position) is missing and no gap names it") }
    guard try reader.event(at: position) == nil else {
      throw Violation(.wrong, "\(what): \(position) is in a gap and is given all the same")
    }
  }
  let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
  let isWhole = gaps.isEmpty && events.count == original.count
  let isIndexOnly =
    isWhole && !verdict.gaps.isEmpty
    && verdict.gaps.allSatisfy { gap in
      gap.last.map { $0 < gap.first } == true
        && (gap.rule.hasPrefix("footer.") || gap.rule.hasPrefix("index."))
    }
  guard verdict.events == UInt64(events.count), verdict.isIntact == (isWhole && !isIndexOnly)
  else { throw Violation(.silent, "\(what): verify does not agree with a scan") }
  for event in original {
    let found = try reader.position(of: event.id)
    guard found == (isThere[Int(event.position.rawValue) - 1] ? event.position : nil) else {
      throw Violation(.wrong, "\(what): the id of \(event.position) is found at another place")
    }
  }
  if isWhole { return isIndexOnly ? .indexOnly : .harmless }
  return gaps.allSatisfy(\.isUnprovenTail) ? .unprovenTail : .named
}
