import Domain

/// Records as a log would hold them: positions and times grow by one step each.
func recorded(_ events: [Event], from position: UInt64 = 1) -> [Recorded] {
  events.enumerated().map { index, event in
    let place = position + UInt64(index)
    return Recorded(
      position: place, time: second(place), kind: event.kind, provenance: .system,
      content: .event(event))
  }
}

/// The state after these events.
func state(_ events: [Event]) -> ControlState { folded(recorded(events)) }

/// The state after these records, from zero.
func folded(_ records: [Recorded], from start: ControlState = .initial) -> ControlState {
  var state = start
  for record in records { state.apply(record) }
  return state
}

/// `count` seconds after the epoch.
func second(_ count: UInt64) -> UnixNanoseconds { UnixNanoseconds(Int64(count) * 1_000_000_000) }

/// 32 bytes that differ for every number.
func fingerprint(_ number: Int) -> Fingerprint {
  Fingerprint((0..<32).map { UInt8(truncatingIfNeeded: number >> ($0 % 4 * 8)) })
}

func provider(
  _ id: String, prefix: String? = nil, models: [ProviderModel] = [ProviderModel(name: "m1")],
  excluded: [String] = [], url: String = "http://127.0.0.1:9000/v1"
) -> ProviderEvent.Added {
  .init(
    id: ProviderID(id), name: id, dialect: .openai, baseURL: url, prefix: prefix ?? id,
    models: models, excludedModels: excluded)
}

func account(
  _ id: String, at provider: String = "p1", name: String? = nil, priority: UInt32 = 1,
  weight: UInt32 = 1
) -> AccountEvent.Added {
  .init(
    id: AccountID(id), provider: ProviderID(provider), name: name ?? id, priority: priority,
    weight: weight)
}

func key(_ id: String, _ number: Int = 1, expiresAt: UnixNanoseconds? = nil) -> KeyEvent.Created {
  .init(
    id: KeyID(id), name: id, organisation: .standard, fingerprint: fingerprint(number),
    masked: "sb-…\(number)", diagnostics: false, expiresAt: expiresAt)
}

func models(_ names: String...) -> [ProviderModel] { names.map { ProviderModel(name: $0) } }

extension Event {
  static func added(_ it: ProviderEvent.Added) -> Event { .provider(.added(it)) }
  static func added(_ it: AccountEvent.Added) -> Event { .account(.added(it)) }
  static func created(_ it: KeyEvent.Created) -> Event { .key(.created(it)) }

  static func issued(_ account: String, _ generation: UInt64, _ number: Int) -> Event {
    .credential(
      .issued(
        .init(
          account: AccountID(account), generation: generation, fingerprint: fingerprint(number))))
  }

  static func aliased(_ name: String, _ target: String, isUnresolved: Bool = false) -> Event {
    .alias(.set(.init(name: name, target: target, isUnresolved: isUnresolved)))
  }
}
