import Testing

@testable import Domain

private let oneDay: Int64 = 86_400_000_000_000
private let p1 = ProviderID("p1")

extension SyncPair {
  /// A clock that says a time far ahead for as long as something is done.
  fileprivate mutating func ahead(_ node: Int, _ days: Int64, _ commands: Command...) {
    nodes[node].skew += days * oneDay
    for command in commands {
      now += 1_000_000_000
      #expect(!nodes[node].command(command, now: now).isEmpty)
    }
    nodes[node].skew -= days * oneDay
  }

  fileprivate func target(_ node: Int, _ alias: String = "fast") -> String? {
    nodes[node].state.aliases[alias]?.target
  }

  fileprivate func waiting(_ node: Int, of peer: Int) -> [String] {
    nodes[node].state.sync.peers["n\(peer)"]?.waiting.map(\.stream) ?? []
  }
}

@Test(
  "what is edited after a clock was set right waits nowhere, and what was edited before follows")
func clockSetRight() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider)
  try pair.sync()
  pair.ahead(1, 400, setAlias("wrong", "p1/w"))
  pair.at(1, setAlias("right", "p1/r"))
  try pair.tell(1, 0)
  #expect(pair.target(0, "right") == "p1/r" && pair.target(0, "wrong") == nil)
  #expect(pair.waiting(0, of: 1) == ["alias/wrong"])
  // It hears from a clock that agrees with its own.
  try pair.tell(0, 1)
  let renewed = pair.nodes[1].decisions.filter { $0.rule == .renewed }
  #expect(renewed.map(\.stream) == ["alias/wrong"] && pair.waiting(1, of: 0) == [])
  try pair.tell(1, 0)
  #expect(pair.target(0, "wrong") == "p1/w" && pair.waiting(0, of: 1) == [])
  for node in pair.nodes { #expect(try node.replayed() == node.state) }
  // At rest.
  let events = pair.nodes.map(\.log.count)
  try pair.sync()
  #expect(pair.nodes.map(\.log.count) == events)
  // Later edits are later everywhere, whoever makes them.
  pair.at(0, setAlias("wrong", "p1/again"))
  try pair.sync()
  #expect(pair.target(1, "wrong") == "p1/again" && pair.conflicts(1) == [])
}

@Test("a node whose clock is ahead is told which of its edits wait, and at whom")
func toldThatItWaits() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider)
  try pair.sync()
  pair.nodes[1].skew = 2 * oneDay
  pair.at(1, setAlias("fast", "p1/x"))
  try pair.sync(1, 0)
  #expect(pair.waiting(1, of: 0) == ["alias/fast"] && pair.waiting(0, of: 1) == ["alias/fast"])
  // Once on record.
  let events = pair.nodes.map(\.log.count)
  try pair.sync(1, 0)
  #expect(pair.nodes.map(\.log.count) == events)
  pair.nodes[1].skew = 0
  for _ in 1...2 { try pair.sync(1, 0) }
  for node in 0...1 {
    #expect(pair.target(node) == "p1/x" && pair.waiting(node, of: 1 - node) == [])
  }
}

@Test("when an edit of a wrong clock was made nobody knows: another one of the same field holds")
func unknownTimeYields() throws {
  for isEarlier in [true, false] {
    var pair = SyncPair()
    pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
    try pair.sync()
    if isEarlier { pair.at(0, setAlias("fast", "p1/a")) }
    pair.ahead(1, 30, setAlias("fast", "p1/b"))
    if !isEarlier { pair.at(0, setAlias("fast", "p1/a")) }
    for _ in 1...2 { try pair.sync(1, 0) }
    for node in 0...1 { #expect(pair.target(node) == "p1/a", "earlier \(isEarlier), n\(node)") }
    // Not without a word.
    #expect(pair.conflicts(1).map(\.rule) == [.concurrent])
  }
}

@Test("a node that took such an edit, its own clock being ahead too, comes to the same")
func bothAhead() throws {
  for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
    var pair = SyncPair(3)
    pair.at(0, firstProvider, .account(.add(account("a1"), credential: oauthTerms(1))))
    try pair.sync(0, 1)
    try pair.sync(0, 2)
    for node in 1...2 { pair.nodes[node].skew = 400 * oneDay }
    pair.at(1, setAlias("fast", "p1/b"), .account(.add(account("a2"), credential: oauthTerms(2))))
    try pair.tell(1, 2)
    #expect(pair.target(2) == "p1/b")
    pair.at(2, .account(.change(.init(id: AccountID("a2"), priority: 7))))
    for node in 1...2 { pair.nodes[node].skew = 0 }
    pair.at(1, setAlias("fast", "p1/later"))
    for _ in 1...3 {
      for from in order { for to in order where to != from { try pair.tell(from, to) } }
    }
    let told = pair.nodes.map { $0.document(now: 0) }
    for node in 0...2 {
      #expect(pair.target(node) == "p1/later", "\(order), n\(node)")
      let account = try #require(pair.nodes[node].state.accounts[AccountID("a2")])
      #expect(account.priority == 7 && account.credential.fingerprint == fingerprint(2))
      #expect(told[node].encodedIntent() == told[0].encodedIntent(), "\(order), n\(node)")
      #expect(pair.conflicts(node) == [])
    }
  }
}

@Test("a clock that begins anew in the past makes no edit of others yield, and none anew")
func clockInThePast() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"), setAlias("slow", "p1/m1"))
  try pair.sync()
  pair.nodes[1].skew = -pair.now
  pair.at(1, setAlias("fast", "p1/b"))
  try pair.sync()
  #expect(!pair.nodes.contains { $0.decisions.contains { $0.rule == .renewed } })
  for node in 0...1 { #expect(pair.target(node) == "p1/b" && pair.target(node, "slow") == "p1/m1") }
  pair.nodes[1].skew = 0
  pair.at(1, setAlias("slow", "p1/c"))
  try pair.sync()
  for node in 0...1 { #expect(pair.target(node, "slow") == "p1/c" && pair.conflicts(node) == []) }
}

@Test("a wall clock that goes back a little, or was pushed ahead by a peer's, starts no new time")
func littleSteps() {
  var clock = HybridClock.initial
  let author = EditAuthor("n0")
  let none: [FieldVersion] = []
  func at(_ time: Int64) -> UnixNanoseconds { UnixNanoseconds(beginning + time) }
  var last = clock.tick(at(0), author, on: none)
  clock.observe(
    HybridStamp(time: at(syncClockTolerance), counter: 3, author: EditAuthor("n1")))
  for step in [Int64(0), -syncClockTolerance] {
    let stamp = clock.tick(at(step), author, on: none)
    #expect(stamp > last && stamp.time == at(syncClockTolerance) && stamp.turn == 0)
    last = stamp
  }
  let set = clock.tick(at(-syncClockTolerance - 1), author, on: none)
  #expect(set.time == at(-syncClockTolerance - 1) && set.turn == 0)
  // On top of what it made before it is later all the same.
  let version = FieldVersion(last)
  let on = clock.tick(at(-syncClockTolerance), author, on: [version])
  #expect(on > last && on.turn == 0 && on.time == at(syncClockTolerance))
  let far = clock.tick(at(-syncClockTolerance - 1), author, on: [version])
  #expect(far > on && far.turn == 1 && far.time == at(-syncClockTolerance - 1))
  // Where turns are used up, time goes on from there.
  let end = HybridStamp(turn: .max, time: at(oneDay), counter: .max, author: author)
  let after = clock.tick(at(0), author, on: [FieldVersion(end)])
  #expect(after > end && after.turn == .max && after.time == at(oneDay + 1))
}

// MARK: What is joined is read by all

@Test("whatever a peer says of who edited a field before, what is told afterwards can be read")
func manyAuthors() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  func stamps(_ range: Range<Int>) -> [HybridStamp] {
    range.map {
      HybridStamp(
        time: UnixNanoseconds(pair.now + Int64($0)), counter: 0, author: EditAuthor("x\($0)"))
    }
    .sorted { $0.author < $1.author }
  }
  for (teller, range) in [("e1", 1_000..<2_000), ("e2", 3_000..<4_000)] {
    var document = pair.nodes[0].document(now: pair.now)
    document.node = NodeID(teller)
    let place = try #require(document.streams.firstIndex { $0.stream == "alias/fast" })
    for field in document.streams[place].fields.indices {
      document.streams[place].fields[field].version = FieldVersion(
        stamp: HybridStamp(
          time: UnixNanoseconds(pair.now + 1), counter: UInt16(field), author: EditAuthor(teller)),
        seen: stamps(range), beaten: stamps((range.lowerBound + 4_000)..<(range.upperBound + 4_000))
      )
      document.streams[place].fields[field].value = .text("p1/\(teller)")
    }
    #expect(try SyncDocument(decoding: document.encoded()) == document)
    _ = try pair.nodes[0].take(document, now: pair.now, exchange: 9)
  }
  #expect(pair.target(0) == "p1/e2")
  for _ in 0..<3 {
    let told = pair.nodes[0].document(now: pair.now)
    #expect(try SyncDocument(decoding: told.encoded()) == told)
    pair.at(0, setAlias("fast", "p1/\(pair.now)"))
    try pair.sync()
    #expect(pair.target(1) == pair.target(0))
  }
}

@Test("a resource that a peer makes larger than is read stays as it was, and that is said")
func tooManyFields() throws {
  var pair = SyncPair()
  pair.at(0, firstProvider, setAlias("fast", "p1/m1"))
  try pair.sync()
  for (number, teller) in ["e1", "e2"].enumerated() {
    var document = pair.nodes[1].document(now: pair.now)
    document.node = NodeID(teller)
    let place = try #require(document.streams.firstIndex { $0.stream == "alias/fast" })
    let version = FieldVersion(
      HybridStamp(time: UnixNanoseconds(pair.now), counter: 0, author: EditAuthor(teller)))
    document.streams[place].fields += (0..<150).map {
      .init(name: "x\(teller)\($0)", value: .number(1), version: version)
    }
    document.streams[place].fields.sort { $0.name < $1.name }
    _ = try pair.nodes[0].take(document, now: pair.now, exchange: 9)
    let told = pair.nodes[0].document(now: pair.now)
    #expect(try SyncDocument(decoding: told.encoded()) == told)
    let waiting = pair.nodes[0].state.sync.peers[teller]?.waiting ?? []
    #expect(waiting.count == (number == 0 ? 0 : 150))
    #expect(waiting.allSatisfy { $0.stream == "alias/fast" && !$0.reason.isEmpty })
  }
  // Everything else goes on.
  pair.at(0, setAlias("fast", "p1/other"))
  try pair.sync()
  #expect(pair.target(1) == "p1/other")
}
