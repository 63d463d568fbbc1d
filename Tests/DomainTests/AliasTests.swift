import Domain
import Testing

private let p1: Event = .added(provider("p1", models: models("m1", "gpt-4o-mini")))

private func set(_ name: String, _ target: String, allow: Bool = false) -> Command {
  .alias(.set(name: name, target: target, allowUnresolved: allow))
}

@Test(
  "the rules of aliases hold",
  arguments: [
    Scenario(
      "an alias means a prefixed model", given: [p1], when: set("fast", "p1/m1"),
      then: .events([.aliased("fast", "p1/m1")])),
    Scenario(
      "an alias means a bare model", given: [p1], when: set("fast", "m1"),
      then: .events([.aliased("fast", "m1")])),
    Scenario(
      "an alias means a model's second name",
      given: [.added(provider("p1", models: [ProviderModel(name: "m1", alias: "big")]))],
      when: set("fast", "p1/big"), then: .events([.aliased("fast", "p1/big")])),
    Scenario(
      "an alias means a model of a disabled provider",
      given: [p1, .provider(.disabled(ProviderID("p1")))], when: set("fast", "p1/m1"),
      then: .events([.aliased("fast", "p1/m1")])),
    Scenario(
      "setting it anew changes its target", given: [p1, .aliased("fast", "p1/m1")],
      when: set("fast", "p1/gpt-4o-mini"), then: .events([.aliased("fast", "p1/gpt-4o-mini")])),
    Scenario(
      "setting the same is no event", given: [p1, .aliased("fast", "p1/m1")],
      when: set("fast", "p1/m1"), then: .nothing),
    Scenario(
      "an unknown target is refused", given: [p1], when: set("fast", "p1/m2"),
      then: .refused(.unknownTarget, field: "target")),
    Scenario(
      "an unknown prefix is refused", given: [p1], when: set("fast", "p9/m1"),
      then: .refused(.unknownTarget, field: "target")),
    Scenario(
      "an excluded model is unknown",
      given: [.added(provider("p1", models: models("m1"), excluded: ["m*"]))],
      when: set("fast", "p1/m1"), then: .refused(.unknownTarget, field: "target")),
    Scenario(
      "an unknown target is flagged where that is allowed", given: [p1],
      when: set("fast", "p1/m2", allow: true),
      then: .events([.aliased("fast", "p1/m2", isUnresolved: true)])),
    Scenario(
      "allowing the unknown does not flag what is known", given: [p1],
      when: set("fast", "p1/m1", allow: true), then: .events([.aliased("fast", "p1/m1")])),
    Scenario(
      "the flag goes once the target is known",
      given: [.aliased("fast", "p1/m1", isUnresolved: true), p1], when: set("fast", "p1/m1"),
      then: .events([.aliased("fast", "p1/m1")])),
    Scenario(
      "a bare target of two providers is ambiguous",
      given: [p1, .added(provider("p2"))], when: set("fast", "m1"),
      then: .refused(.ambiguousTarget, field: "target")),
    Scenario(
      "a bare target of one enabled provider is not",
      given: [p1, .added(provider("p2")), .provider(.disabled(ProviderID("p2")))],
      when: set("fast", "m1"), then: .events([.aliased("fast", "m1")])),
    Scenario(
      "an alias does not point at an alias", given: [p1, .aliased("fast", "p1/m1")],
      when: set("faster", "fast"), then: .refused(.aliasOfAlias, field: "target")),
    Scenario(
      "an alias does not point at an alias, even unresolved",
      given: [p1, .aliased("fast", "p1/m1")], when: set("faster", "fast", allow: true),
      then: .refused(.aliasOfAlias, field: "target")),
    Scenario(
      "an alias does not point at itself", given: [p1], when: set("fast", "fast", allow: true),
      then: .refused(.aliasOfAlias, field: "target")),
    Scenario(
      "an alias does not become what another points at",
      given: [p1, .aliased("fast", "later", isUnresolved: true)], when: set("later", "p1/m1"),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "an alias is no prefix", given: [p1], when: set("p1", "p1/m1"),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "an alias is no bare model", given: [p1], when: set("m1", "p1/gpt-4o-mini"),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "an alias is no bare model of a disabled provider either",
      given: [p1, .provider(.disabled(ProviderID("p1")))], when: set("m1", "p1/gpt-4o-mini"),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "an alias is removed", given: [p1, .aliased("fast", "p1/m1")],
      when: .alias(.remove(name: "fast")), then: .events([.alias(.removed("fast"))])),
    Scenario(
      "a missing alias cannot be removed", when: .alias(.remove(name: "fast")),
      then: .refused(.unknownAlias, field: "name")),
    Scenario(
      "a removed alias can be set again",
      given: [p1, .aliased("fast", "p1/m1"), .alias(.removed("fast"))], when: set("fast", "p1/m1"),
      then: .events([.aliased("fast", "p1/m1")])),
    Scenario(
      "an alias has no slash", given: [p1], when: set("a/b", "p1/m1"),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "an alias is ASCII", given: [p1], when: set("schnell-ü", "p1/m1"),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "an alias has at most 128 bytes", given: [p1],
      when: set(String(repeating: "a", count: 129), "p1/m1"),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a target is not empty", given: [p1], when: set("fast", "", allow: true),
      then: .refused(.invalidField, field: "target")),
    Scenario(
      "a target has a model behind its slash", given: [p1], when: set("fast", "p1/", allow: true),
      then: .refused(.invalidField, field: "target")),
    Scenario(
      "a target is bounded", given: [p1],
      when: set("fast", "p1/" + String(repeating: "m", count: 200), allow: true),
      then: .refused(.invalidField, field: "target")),
  ])
func decidesAliases(_ scenario: Scenario) { scenario.check() }

@Test("an unknown target comes back with near names, sorted")
func listsNearNames() {
  let refusal = #expect(throws: Refusal.self) {
    try decide(set("fast", "p1/gpt-4o-mni"), state([p1, .added(provider("p2"))]))
  }
  #expect(refusal?.remedy == "Near names: p1/gpt-4o-mini.")
}

@Test("an ambiguous target comes back with its candidates")
func listsCandidates() {
  let refusal = #expect(throws: Refusal.self) {
    try decide(set("fast", "m1"), state([p1, .added(provider("p2"))]))
  }
  #expect(refusal?.remedy == "Choose one of: p1/m1, p2/m1.")
}

@Test("an alias keeps the time it was first set")
func keepsCreation() {
  let state = state([p1, .aliased("fast", "p1/m1"), .aliased("fast", "m1")])
  #expect(state.aliases["fast"]?.createdAt == second(2))
  #expect(state.aliases["fast"]?.updatedAt == second(3))
  #expect(state.aliases["fast"]?.revision == 2)
}
