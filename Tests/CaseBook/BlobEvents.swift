internal import Domain
internal import Surface

/// What the events of a write have to know beside the blob.
struct Course {
  var at: Int64
  var isMerge: Bool
  var attempts: [String: UInt64]
  var keys: [String: [String]]
}

extension Blob {
  /// What happened between two of them, in the words of our log.
  func events(to after: Blob, _ course: Course) -> [Event] {
    var events: [Event] = []
    for name in Set(accounts.keys).union(after.accounts.keys).sorted() {
      let id = AccountID(name)
      guard let record = after.accounts[name] else {
        events += [.credential(.revoked(id)), .account(.removed(id))]
        continue
      }
      if accounts[name] == nil {
        events.append(
          .account(
            .added(
              .init(
                id: id, provider: ProviderID("p"), name: name, priority: record.priority, weight: 1)
            )))
      }
      events += record.events(
        since: accounts[name] ?? Record(priority: record.priority), id, course)
    }
    for name in Set(aliases.keys).union(after.aliases.keys).sorted()
    where aliases[name] != after.aliases[name] {
      events.append(
        after.aliases[name].map {
          .alias(.set(.init(name: name, target: $0, isUnresolved: true)))
        } ?? .alias(.removed(name)))
    }
    for name in Set(keys.keys).union(after.keys.keys).sorted() where keys[name] != after.keys[name]
    {
      let id = KeyID(name)
      switch (keys[name], after.keys[name]) {
      case (_, nil): events.append(.key(.revoked(id)))
      case (nil, let isOn?):
        events.append(.key(.created(key(named: name))))
        if !isOn { events.append(.key(.paused(id))) }
      case (_, let isOn?): events.append(.key(isOn ? .resumed(id) : .paused(id)))
      }
    }
    return events
  }
}

/// A client's key as it is made.
func key(named name: String) -> KeyEvent.Created {
  KeyEvent.Created(
    id: KeyID(name), name: name, organisation: .standard, fingerprint: fingerprint(name, "key"),
    masked: "sb-1…cdef", diagnostics: false, expiresAt: nil)
}

extension Record {
  /// Sets what an operator sets, by the names of answers.
  mutating func set(_ fields: [JSONValue.Member]) throws {
    for field in fields {
      switch field.name {
      case "isActive": isActive = field.value.bool ?? true
      case "priority": priority = UInt32(field.value.uint ?? 1)
      case "apiKey": apiKey = field.value.string
      case _: throw PlayFault(description: "accounts have no \(field.name) here")
      }
    }
  }

  fileprivate func events(since before: Record, _ id: AccountID, _ course: Course) -> [Event] {
    var events: [Event] = []
    let (isMerge, attempt) = (course.isMerge, course.attempts[id.rawValue] ?? 0)
    if priority != before.priority {
      events.append(.account(.changed(.init(id: id, priority: priority))))
    }
    if isActive != before.isActive {
      events.append(.account(isActive ? .enabled(id) : .disabled(id)))
    }
    if apiKey != before.apiKey, let apiKey {
      events.append(
        .credential(
          .issued(
            .init(
              account: id,
              generation: UInt64(course.keys[id.rawValue]?.firstIndex(of: apiKey) ?? 0) + 1,
              fingerprint: fingerprint(id.rawValue, apiKey)))))
    }
    if tokens != before.tokens, let access {
      let isRefresh = !isMerge && before.access != nil && attempt > 0 && access != before.access
      let issued = CredentialEvent.Issued(
        account: id, generation: access, fingerprint: fingerprint(id.rawValue, access),
        kind: .oauth, canRefresh: refresh != nil, expiresAt: nil)
      let refreshed = CredentialEvent.Refreshed(
        account: id, from: before.access ?? 0, generation: access,
        fingerprint: fingerprint(id.rawValue, access), expiresAt: nil, attempt: attempt)
      events.append(.credential(isRefresh ? .refreshed(refreshed) : .issued(issued)))
    }
    if cooledUntil != before.cooledUntil, let cooledUntil {
      let isOwn = !isMerge && status == .unavailable
      events.append(
        .health(
          .cooldownStarted(
            .init(
              account: id, scope: .account, rule: "rate_limited",
              until: Play.moment(cooledUntil), status: isOwn ? 429 : nil,
              errorCode: isOwn ? "status_429" : nil))))
      if isOwn { return events }
    }
    if status != before.status, status != .unknown {
      events.append(.health(.noted(.init(account: id, testStatus: status))))
    }
    return events
  }
}
