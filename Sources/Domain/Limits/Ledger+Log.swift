/// What the end of a request charges, and to whom, read from its record without what else stands there.
struct RecordedCharge {
  var request: RequestID
  var organisation: OrganisationID?
  var key: KeyID?
  var receivedAt: UnixNanoseconds
  var spend: Spend

  init(
    request: RequestID, organisation: OrganisationID?, key: KeyID?, receivedAt: UnixNanoseconds,
    spend: Spend
  ) {
    self.request = request
    self.organisation = organisation
    self.key = key
    self.receivedAt = receivedAt
    self.spend = spend
  }

  init(_ fact: RequestEvent.Finished) {
    request = fact.id
    organisation = fact.organisation
    key = fact.key
    receivedAt = fact.receivedAt
    spend = fact.charge
  }

  init(_ fact: RequestEvent.Interrupted) {
    request = fact.id
    organisation = fact.organisation
    key = fact.key
    receivedAt = fact.charge?.receivedAt ?? UnixNanoseconds(0)
    spend =
      fact.charge.map { Spend(microUSD: $0.reserve.microUSD, tokens: $0.reserve.tokens) } ?? .zero
  }

  /// Decodes no more of an event of the kinds that end requests than its charge needs.
  init(
    endedBy bytes: ArraySlice<UInt8>, kind: WireKind
  ) throws(DecodingFailure) {
    var reader = RecordReader(bytes, kind: kind.rawValue)
    _ = try Provenance(from: &reader)
    switch kind {
    case .requestFinished, .requestFinishedV2, .requestFinishedV3:
      let start = reader
      if let charge = try RequestEvent.Finished.charge(from: &reader, as: kind) {
        self = charge
      } else {
        reader = start
        self.init(try RequestEvent.Finished(from: &reader, as: kind))
      }
    default: self.init(try RequestEvent.Interrupted(from: &reader, as: kind))
    }
  }
}

extension Ledger {
  /// Takes in the end of a request.
  mutating func take(_ charge: RecordedCharge, _ state: ControlState) {
    guard charge.spend != .zero else { return }
    if let organisation = charge.organisation {
      settle(
        charge.spend, of: .organisation(organisation), receivedAt: charge.receivedAt,
        budgets: state.organisations[organisation]?.budgets ?? [])
    }
    if let key = charge.key {
      settle(
        charge.spend, of: .key(key), receivedAt: charge.receivedAt,
        budgets: state.keys[key]?.budgets ?? [])
    }
  }
}

extension Ledger: Payload {
  func write(to writer: inout RecordWriter) {
    writer.count(entries.count)
    for (scope, entry) in entries.sorted(by: { $0.key < $1.key }) {
      switch scope {
      case .organisation(let id):
        writer.byte(1)
        writer.text(id.rawValue)
      case .key(let id):
        writer.byte(2)
        writer.text(id.rawValue)
      }
      for period in Budget.Period.allCases {
        writer.flag(entry[period] != nil)
        entry[period]?.write(to: &writer)
      }
    }
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    entries = try reader.table { (reader) throws(DecodingFailure) in
      let scope: LimitScope
      switch try reader.byte() {
      case 1: scope = .organisation(OrganisationID(try reader.text()))
      case 2: scope = .key(KeyID(try reader.text()))
      case _: throw reader.failure(.invalidValue)
      }
      var entry = Entry()
      for period in Budget.Period.allCases where try reader.flag() {
        entry[period] = try SpendWindow(from: &reader)
      }
      return (scope, entry)
    }
  }
}

extension SpendWindow: Payload {
  func write(to writer: inout RecordWriter) {
    writer.time(start)
    writer.time(end)
    writer.varint(used.microUSD)
    writer.varint(used.tokens)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init(
      start: try reader.time(), end: try reader.time(),
      used: Spend(microUSD: try reader.varint(), tokens: try reader.varint()))
  }
}
