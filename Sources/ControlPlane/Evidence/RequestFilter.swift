import Domain
import EventStore
import Views

/// Which requests of the log a list shows.
struct RequestFilter: Sendable {
  /// Any of these was asked; nil: whoever was.
  var accounts: Set<AccountID>?
  /// The client's name for the model, the provider's own, or `provider/model`.
  var model: String?
  var key: KeyID?
  var organisation: OrganisationID?
  var status: ClosedRange<UInt16>?
  var outcome: RequestStory.Outcome?
  var errorClass: ErrorClass?
  /// More than one account was asked.
  var isFailover = false
  /// Of the newest event: at or after.
  var since: UnixNanoseconds?
  /// Of the newest event: before.
  var until: UnixNanoseconds?

  /// Everything.
  static let none = RequestFilter()

  /// Nothing that sums do not count: lists of models.
  var isCounted = false
  static let counted: RequestFilter = {
    var filter = RequestFilter()
    filter.isCounted = true
    return filter
  }()

  /// More marks than this narrow nothing down that looking at the pages would not do sooner.
  private static let marksMax = 64

  /// What a page of the log must have to be looked at: a mark of each group.
  var marks: [[RequestMark]] {
    // Where that stands, nothing else of the request does.
    if outcome == .deliveryFailed { return [[.undelivered]] }
    var groups: [[RequestMark]] = []
    if let accounts { groups.append(accounts.sorted().map { .account($0) }) }
    if let model { groups.append([.asked(model), .model(model), .ownModel(model)]) }
    if let key { groups.append([.key(key)]) }
    if let organisation { groups.append([.organisation(organisation)]) }
    if let status { groups.append([.status(status)]) }
    if let errorClass { groups.append([.errorClass(errorClass)]) }
    if isFailover { groups.append([.failover]) }
    switch outcome {
    case .ended(let ending): groups.append([.ending(ending)])
    case .interrupted: groups.append([.interrupted])
    case .inFlight: groups.append([.inFlight])
    case .deliveryFailed, .unknown, nil: break
    }
    return groups.filter { $0.isEmpty || $0.count <= Self.marksMax }
  }

  /// Where a request stands in the list: its end, or its beginning while it has none; nil: nowhere.
  ///
  /// Among deliveries that failed it is the failure.
  func place(of story: RequestStory) -> (position: UInt64, time: UnixNanoseconds)? {
    if outcome == .deliveryFailed {
      return story.deliveryFailed.map { ($0.position, $0.time) }
    }
    return story.finished.map { ($0.position, $0.time) }
      ?? story.interrupted.map { ($0.position, $0.time) }
      ?? story.dispatched.map { ($0.position, $0.time) }
  }

  /// Whether a request is wanted, by everything that the log has of it.
  func admits(_ story: RequestStory) -> Bool {
    guard let place = place(of: story), outcome == nil || outcome == story.outcome,
      place.time >= since ?? place.time, until.map({ place.time < $0 }) ?? true
    else { return false }
    if let fact = story.finished?.fact {
      return accounts.map { wanted in fact.attempts.contains { wanted.contains($0.account) } }
        ?? true
        && isModel(fact.modelAsked, fact.modelResolved) && isOf(fact.key, fact.organisation)
        && status?.contains(fact.status) ?? true
        && (errorClass == nil || errorClass == fact.errorClass)
        && (!isFailover || fact.attempts.count > 1)
        && (!isCounted || UsageTotals.counts(fact.operation))
    }
    guard !isOfEnds else { return false }
    if let fact = story.dispatched?.fact { return mayAdmit(fact) }
    // Its beginning is lost.
    return accounts == nil && model == nil
      && isOf(story.interrupted?.fact.key, story.interrupted?.fact.organisation)
  }

  /// Whether a request that begins like this is wanted as long as it has no end.
  func mayAdmit(_ fact: RequestEvent.Dispatched) -> Bool {
    !isOfEnds && isOf(fact.key, fact.organisation)
      && accounts.map { wanted in fact.account.map { wanted.contains($0) } ?? false } ?? true
      && (model == nil || model == fact.modelAsked)
  }

  /// Whether a request that was found without an end may be wanted; its beginning tells its account and model.
  func mayAdmit(_ fact: RequestEvent.Interrupted) -> Bool {
    (outcome == nil || outcome == .interrupted) && !isOfEnds && isOf(fact.key, fact.organisation)
  }

  /// Whether it asks for what only a request's end tells.
  private var isOfEnds: Bool { status != nil || errorClass != nil || isFailover }

  /// Whether it asks for what a request's beginning tells and the finding that it has no end does not.
  var isOfBeginnings: Bool { accounts != nil || model != nil }

  private func isOf(_ key: KeyID?, _ organisation: OrganisationID?) -> Bool {
    (self.key == nil || self.key == key)
      && (self.organisation == nil || self.organisation == organisation)
  }

  private func isModel(_ asked: String, _ resolved: String?) -> Bool {
    guard let model else { return true }
    if asked == model || resolved == model { return true }
    guard let resolved, let slash = resolved.firstIndex(of: "/") else { return false }
    return resolved[resolved.index(after: slash)...] == model
  }
}

/// What one event of a request tells of whether it is wanted: passes over what cannot be, without decoding it whole.
struct RequestSieve {
  private let filter: RequestFilter
  private let accounts: [[UInt8]]?
  private let model: [UInt8]?
  private let key: [UInt8]?
  private let organisation: [UInt8]?
  private var outline = RequestOutline()

  init(_ filter: RequestFilter) {
    self.filter = filter
    accounts = filter.accounts?.map { Array($0.rawValue.utf8) }
    model = filter.model.map { Array($0.utf8) }
    key = filter.key.map { Array($0.rawValue.utf8) }
    organisation = filter.organisation.map { Array($0.rawValue.utf8) }
  }

  /// What an event may be in a list.
  enum Find {
    /// The request may be listed here.
    case candidate(RequestID)
    /// The request, which began there and was found without an end, may be listed here.
    case interruption(RequestID, beginning: UInt64)
    /// The request is not listed here, for it has its end there.
    case end(RequestID)
    case beginning(RequestID)
    case nothing
  }

  /// - Throws: where the event cannot be decoded.
  mutating func look(at event: StoredEvent) throws -> Find {
    guard event.stream == requestStream else { return .nothing }
    let isInTime =
      event.time >= filter.since?.rawValue ?? .min && event.time < filter.until?.rawValue ?? .max
    let isFinished: Bool
    do throws(DecodingFailure) {
      isFinished = try outline.read(kind: event.kind, bytes: event.payload)
    } catch {
      throw ControlError.unreadable(
        position: event.position, reason: "\(error.kind): \(error.reason.rawValue)")
    }
    if isFinished {
      let isWanted = isInTime && event.payload.withUnsafeBytes { admits($0) }
      return isWanted ? .candidate(outline.id) : .end(outline.id)
    }
    guard case .request(let event) = try recorded(event).event else { return .nothing }
    switch event {
    case .interrupted(let fact):
      return isInTime && filter.mayAdmit(fact)
        ? .interruption(fact.id, beginning: fact.dispatchedAt) : .end(fact.id)
    case .deliveryFailed(let fact):
      return isInTime && filter.outcome == .deliveryFailed ? .candidate(fact.id) : .nothing
    case .dispatched(let fact):
      guard isInTime, filter.outcome == nil || filter.outcome == .inFlight else { return .nothing }
      return filter.mayAdmit(fact) ? .beginning(fact.id) : .nothing
    case .finished, .deniedSummary: return .nothing
    }
  }

  /// Whether the finished request of the outline may be wanted.
  private func admits(_ bytes: UnsafeRawBufferPointer) -> Bool {
    switch filter.outcome {
    case .ended(let ending): guard ending == outline.ending else { return false }
    case .deliveryFailed, .interrupted, .inFlight, .unknown: return false
    case nil: break
    }
    func holds(_ place: Range<Int>?, _ wanted: [UInt8]?) -> Bool {
      guard let wanted else { return true }
      return place.map { bytes[$0].elementsEqual(wanted) } ?? false
    }
    guard filter.status?.contains(outline.status) ?? true,
      filter.errorClass == nil || filter.errorClass == outline.errorClass,
      !filter.isFailover || outline.attempts.count > 1,
      !filter.isCounted || UsageTotals.counts(outline.operation), holds(outline.key, key),
      holds(outline.organisation, organisation)
    else { return false }
    if let accounts {
      let isAsked = outline.attempts.contains { attempt in
        accounts.contains { bytes[attempt.account].elementsEqual($0) }
      }
      guard isAsked else { return false }
    }
    guard let model else { return true }
    guard !holds(outline.modelAsked, model), let resolved = outline.modelResolved else {
      return holds(outline.modelAsked, model)
    }
    let text = bytes[resolved]
    return text.elementsEqual(model)
      || text.firstIndex(of: UInt8(ascii: "/")).map {
        text[($0 + 1)...].elementsEqual(model)
      } ?? false
  }
}
