import Domain

/// Where routing refused a request that no account was asked for: of that nothing is recorded but the refusal.
struct Refusing {
  /// The configuration on which it is refused.
  let book: SnapshotShelf.Book
  /// The clock by which it is refused.
  let now: UnixNanoseconds
  /// With what is not recorded as the refusal shows it: accounts that were half open had their probe with another request.
  let local: LocalInputs

  /// nil: on none of these it is refused.
  ///
  /// - Parameter books: the likeliest first.
  init?(_ fact: RequestEvent.Finished, _ facts: RequestFacts, among books: [SnapshotShelf.Book]) {
    // It is not recorded when it was decided: between its first byte and its end.
    let length = min(fact.totalMicroseconds, 1 << 50) * 1_000
    let end = fact.receivedAt.rawValue.addingReportingOverflow(Int64(length))
    let times = [fact.receivedAt] + (end.overflow ? [] : [UnixNanoseconds(end.partialValue)])
    for isProbing in [false, true] {
      for book in books {
        for now in times {
          guard let local = Self.local(facts, book, now, isProbing: isProbing) else { continue }
          (self.book, self.now, self.local) = (book, now, local)
          return
        }
      }
    }
    return nil
  }

  /// What must have been so for the refusal; nil: it is none.
  private static func local(
    _ facts: RequestFacts, _ book: SnapshotShelf.Book, _ now: UnixNanoseconds, isProbing: Bool
  ) -> LocalInputs? {
    var held: Set<AccountID> = []
    while true {
      var noted = NotedLocal(LocalInputs(heldProbes: held.sorted()))
      let decided = route(book.snapshot, facts, now: now, seed: 0, local: &noted, tried: [])
      if case .failure = decided { return noted.noted }
      // Each account that is found to be half open may lead to another one.
      guard isProbing, !noted.probes.isSubset(of: held) else { return nil }
      held.formUnion(noted.probes)
    }
  }
}
