import Domain
import Testing

/// Given these facts, when this is asked, then these events or this refusal: one row a rule.
struct Scenario: Sendable, CustomTestStringConvertible {
  /// What a decision comes to.
  enum Outcome: Sendable, Equatable {
    case events([Event])
    /// By its code and the field it names.
    case refused(Refusal.Code, field: String)

    static let nothing = Outcome.events([])
  }

  let name: String
  let given: [Event]
  let when: Command
  var ifMatch: UInt64?
  let then: Outcome

  init(
    _ name: String, given: [Event] = [], when: Command, ifMatch: UInt64? = nil, then: Outcome
  ) {
    self.name = name
    self.given = given
    self.when = when
    self.ifMatch = ifMatch
    self.then = then
  }

  var testDescription: String { name }

  func check() {
    let before = state(given)
    let outcome: Outcome
    do throws(Refusal) {
      let proposed = try decide(when, before, ifMatch: ifMatch)
      outcome = .events(proposed.map(\.event))
      checkRevisions(proposed)
      checkSecondTime(proposed, before)
    } catch {
      outcome = .refused(error.code, field: error.field)
      #expect(!error.message.isEmpty)
      #expect(error.value.utf8.count <= 128)
    }
    #expect(outcome == then)
  }

  /// The expected revisions are those that the log would have counted.
  private func checkRevisions(_ proposed: [ProposedEvent]) {
    var counted: [String: UInt64] = [:]
    for event in given { counted[event.stream, default: 0] += 1 }
    // The gateway's own stream has no revision that anybody decides by.
    for one in proposed where one.stream != gatewayStream {
      #expect(one.stream == one.event.stream)
      #expect(one.expectedRevision == counted[one.stream] ?? 0)
      counted[one.stream, default: 0] += 1
    }
  }

  /// Whatever describes a wished-for state is done once; whatever creates is refused the second time.
  private func checkSecondTime(_ proposed: [ProposedEvent], _ before: ControlState) {
    let after = folded(
      recorded(proposed.map(\.event), from: before.position + 1), from: before)
    let second = Result { () throws(Refusal) in try decide(when, after) }
    switch when {
    case .provider(.add), .account(.add), .key(.create):
      #expect(throws: Refusal.self) { try second.get() }
    case .organisation(.create), .syncToken(.issue):
      #expect(throws: Refusal.self) { try second.get() }
    case .provider(.remove), .account(.remove), .alias(.remove), .combo(.remove),
      .policy(.remove), .organisation(.remove):
      #expect(throws: Refusal.self) { try second.get() }
    case .credential(.attempt): if !proposed.isEmpty { #expect((try? second.get()) == nil) }
    case .credential(.settle), .credential(.take): break
    case .settings(.setAdminPassword), .access, .sync, .merged, .health(.recordTest),
      .syncToken(.refuse):
      #expect((try? second.get())?.count == 1)
    case .provider, .account, .credential, .health, .model, .alias, .combo, .policy,
      .organisation, .key, .settings, .pricing, .node, .syncToken(.revoke),
      .syncToken(.bind):
      #expect(second == .success([]))
    }
  }
}
