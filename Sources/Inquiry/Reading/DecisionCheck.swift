import Domain

/// Makes recorded decisions again by the gateway's own `route`, without decoding their records whole.
///
/// Says yes or nothing: where anything does not come out as recorded, `RemadeDecision` looks at it anew and says why.
struct DecisionCheck {
  /// What clients write has no end; texts beyond these are made each time.
  private var texts = Interner(limit: 1 << 16)
  /// The view asked for last, by its place on the shelf.
  private var known: (position: UInt64, view: RoutingSnapshot)?

  /// Whether every decision of a request comes out as recorded, on views that nothing is wrong with.
  ///
  /// - Parameters:
  ///   - bytes: the payload that the outline was read from.
  ///   - position: of the record; a view cannot be later.
  mutating func isReproduced(
    _ outline: RequestOutline, _ bytes: UnsafeRawBufferPointer, at position: UInt64,
    on shelf: SnapshotShelf
  ) -> Bool {
    guard !outline.attempts.isEmpty else { return true }
    var facts = RequestFacts(
      model: text(outline.modelAsked, bytes),
      organisation: outline.organisation.map { OrganisationID(text($0, bytes)) },
      key: outline.key.map { KeyID(text($0, bytes)) }, operation: outline.operation,
      session: outline.session)
    var tried: [Tried] = []
    for (index, attempt) in outline.attempts.enumerated() {
      guard attempt.snapshot < position, let view = view(attempt.snapshot, shelf) else {
        return false
      }
      let isLast = index + 1 == outline.attempts.count
      let account = AccountID(text(attempt.account, bytes))
      facts.owner = attempt.rule == .owner ? account : nil
      let outcome = route(
        view, facts, now: attempt.now, seed: attempt.seed, local: attempt.local, tried: tried)
      guard case .success(let decision) = outcome, decision.rule == attempt.rule,
        decision.account == account
      else { return false }
      if isLast {
        guard let resolved = outline.modelResolved else { continue }
        let slash = decision.provider.rawValue.utf8.count
        guard resolved.count > slash, bytes[resolved.lowerBound + slash] == UInt8(ascii: "/"),
          isSame(decision.provider.rawValue, bytes, resolved.prefix(slash)),
          isSame(decision.upstreamModel, bytes, resolved.dropFirst(slash + 1))
        else { return false }
      } else {
        tried.append(
          Tried(
            account, model: attempt.upstreamModel.map { text($0, bytes) },
            endedWith: attempt.errorClass, status: attempt.status))
      }
    }
    return true
  }

  private mutating func view(_ position: UInt64, _ shelf: SnapshotShelf) -> RoutingSnapshot? {
    if let known, known.position == position { return known.view }
    guard let view = shelf.certainView(at: position) else { return nil }
    known = (position, view)
    return view
  }

  private mutating func text(_ place: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> String {
    let bytes = UnsafeRawBufferPointer(rebasing: bytes[place])
    let number = texts.number(of: bytes)
    return number < texts.texts.count
      ? texts.texts[number] : String(decoding: bytes, as: UTF8.self)
  }

  private func isSame(
    _ text: String, _ bytes: UnsafeRawBufferPointer, _ place: Range<Int>
  ) -> Bool {
    var text = text
    return text.withUTF8 { $0.elementsEqual(bytes[place]) }
  }
}

/// The room in which records of finished requests are read, one after the other.
struct RequestRecord {
  /// What the last one that could be read holds.
  private(set) var outline = RequestOutline()
  private var room: [UInt8] = []

  /// Whether it is the record of a finished request that this build knows, each byte of it as it must be.
  mutating func read(_ kind: String, _ payload: UnsafeRawBufferPointer) -> Bool {
    room.removeAll(keepingCapacity: true)
    room.append(contentsOf: payload)
    return (try? outline.read(kind: kind, bytes: room[...], isChecked: true)) ?? false
  }
}
