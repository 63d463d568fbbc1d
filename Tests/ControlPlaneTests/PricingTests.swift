import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// `/api/pricing`: merged per field, exact, removed only by name.
struct PricingTests {
  private func priced(_ body: (TestBox, String) async throws -> Void) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let reply = try await box.call(
        .patch, "/api/pricing",
        """
        {"mock":{"gpt-4o":{"input":2.50,"output":10,"cached":1.25},"meta/l":{"input":0,"output":0.000001}},
         "later":{"gpt-9":{"input":1e-3,"output":1000000}}}
        """, as: token)
      guard reply.status == 200 else { throw Unexpected(reply.text) }
      try await body(box, token)
    }
  }

  @Test func `prices are answered as given, and merged per field`() async throws {
    try await priced { box, token in
      let got = try await box.call(.get, "/api/pricing", as: token)
      #expect(got.tag == "\"1\"")
      #expect(got.json["later"]?["gpt-9"]?["input"] == .number("0.001"))
      #expect(got.json["mock"]?["meta/l"]?["output"] == .number("0.000001"))
      #expect(
        got.json["mock"]?["gpt-4o"] == [
          "input": .number("2.5"), "output": 10, "cached": .number("1.25"), "reasoning": nil,
          "cache_creation": nil,
        ])
      let merged = try await box.call(
        .patch, "/api/pricing",
        #"{"mock":{"gpt-4o":{"output":12,"cached":null,"reasoning":15}}}"#, as: token,
        headers: [("if-match", "\"1\"")])
      #expect(
        merged.json["mock"]?["gpt-4o"] == [
          "input": .number("2.5"), "output": 12, "cached": nil, "reasoning": 15,
          "cache_creation": nil,
        ], "\(merged.text)")
      #expect(merged.json["later"]?["gpt-9"] != nil && merged.tag == "\"2\"")
      let whole = try await box.call(.patch, "/api/pricing", merged.text, as: token)
      #expect(
        whole.status == 200 && whole.tag == "\"2\"", "an answer is a body that changes nothing")
      let price = box.control.state.pricing.prices[
        PriceID(provider: ProviderID("mock"), model: "gpt-4o")]
      #expect(price == Price(input: 2_500_000, output: 12_000_000, reasoning: 15_000_000))
    }
  }

  static let refused: [(String, String, String?)] = [
    (#"{"mock":{"gpt-4o":{"input":-1}}}"#, "invalid_field", "mock.gpt-4o.input"),
    (#"{"mock":{"gpt-4o":{"input":0.0000001}}}"#, "invalid_field", "mock.gpt-4o.input"),
    (#"{"mock":{"gpt-4o":{"cached":1000001}}}"#, "invalid_field", "mock.gpt-4o.cached"),
    (#"{"mock":{"gpt-4o":{"input":"1"}}}"#, "invalid_field", "mock.gpt-4o.input"),
    (#"{"mock":{"gpt-4o":{"input":null}}}"#, "invalid_field", "mock.gpt-4o.input"),
    (#"{"mock":{"gpt-4o":{"inptu":1}}}"#, "unknown_field", "mock.gpt-4o.inptu"),
    (#"{"mock":{"gpt-4o":3}}"#, "invalid_field", "mock.gpt-4o"),
    (#"{"mock":[]}"#, "invalid_field", "mock"), ("[]", "invalid_field", nil),
    (#"{"mock":{"new":{"input":1}}}"#, "missing_field", "mock.new.output"),
    (#"{"mock":{"new":{}}}"#, "missing_field", "mock.new.input"),
    (#"{"no/id":{"new":{"input":1,"output":1}}}"#, "invalid_field", "provider"),
    (#"{"mock":{"/x":{"input":1,"output":1}}}"#, "invalid_field", "model"),
    (
      #"{"mock":{"new":{"input":1,"output":1},"gpt-4o":{"input":-1}}}"#, "invalid_field",
      "mock.gpt-4o.input"
    ),
  ]

  @Test(arguments: refused)
  func `a bad value is refused by its path, and nothing of the body is taken`(
    body: String, code: String, field: String?
  ) async throws {
    try await priced { box, token in
      let last = box.store.lastWritten
      let reply = try await box.call(.patch, "/api/pricing", body, as: token)
      #expect(reply.status == 400 && reply.code == code, "\(reply.text)")
      #expect(reply.field == field, "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `one, a provider's or all are removed, never all by leaving something out`()
    async throws
  {
    try await priced { box, token in
      for query in ["", "?model=gpt-4o", "?all=false", "?all=true&provider=mock"] {
        let reply = try await box.call(.delete, "/api/pricing\(query)", as: token)
        #expect(reply.status == 400 && reply.code == "missing_field", "\(query): \(reply.text)")
      }
      for query in ["?provider=none", "?provider=mock&model=none"] {
        let reply = try await box.call(.delete, "/api/pricing\(query)", as: token)
        #expect(reply.status == 404 && reply.code == "not_found", "\(query): \(reply.text)")
      }
      let old = try await box.call(
        .delete, "/api/pricing?all=true", as: token, headers: [("if-match", "\"9\"")])
      #expect(old.status == 412 && old.tag == "\"1\"")
      #expect(box.control.state.pricing.prices.count == 3)
      let one = try await box.call(
        .delete, "/api/pricing?provider=mock&model=meta/l", as: token)
      #expect(one.status == 200 && one.json["mock"]?.members?.count == 1, "\(one.text)")
      let provider = try await box.call(.delete, "/api/pricing?provider=mock", as: token)
      #expect(provider.json["mock"] == nil && provider.json["later"] != nil)
      let all = try await box.call(.delete, "/api/pricing?all=true", as: token)
      #expect(all.json == .object([]) && all.tag == "\"4\"")
      #expect(try await box.call(.delete, "/api/pricing?all=true", as: token).status == 200)
    }
  }
}
