/// The fields that one kind of mapping in a file has: what the reader takes and what the manual lists.
public struct ConfigurationShape: Sendable {
  /// Where it stands, for example `providers[].accounts[]`; empty for the document.
  public var path: String
  /// Those that this build reads.
  public var fields: [Field]
  /// Those that the format has and this build does not.
  public var unbuilt: [String]

  /// A field as the manual tells it.
  public struct Field: Sendable {
    /// Kebab-case.
    public var name: String
    /// In the words of the manual, for example `text`.
    public var type: String
    /// What holds where it was never given.
    public var standard: String
    /// Bounds and meaning.
    public var meaning: String
    /// Of numbers, as they are written; nil: not a whole number.
    public var range: ClosedRange<UInt64>?
  }

  var names: [String] { fields.map(\.name) }

  /// The bounds of a number.
  ///
  /// - Precondition: the shape has such a field, and it is a whole number.
  func range(_ name: String) -> ClosedRange<UInt64> {
    guard let range = fields.first(where: { $0.name == name })?.range else {
      preconditionFailure("\(path) has no number \(name)")
    }
    return range
  }
}

extension ConfigurationShape {
  /// Every shape, in the order of the manual.
  public static let all = [
    document, provider, healthCheck, oauth, model, account, organisation, limits, budget, key,
    policy,
    share, price,
    settings,
  ]

  static let document = ConfigurationShape(
    "",
    [
      .init("providers", "list", "none", "Upstream services: at most 1,000."),
      .init("organisations", "list", "`default`", "Tenants: at most 10,000."),
      .init("keys", "list", "none", "Clients' keys: at most 10,000."),
      .init(
        "aliases", "fields", "none",
        "`name: target`. A name is 1 to 128 visible ASCII characters without `/`; a target is "
          + "`prefix/model` or a model, never an alias or a combo."),
      .init(
        "combos", "fields", "none",
        "`name: [model, …]`: tried in this order. Names as of aliases; 1 to 32 different targets "
          + "as of aliases."),
      .init("policies", "list", "none", "At most 10,000, one for each organisation and model."),
      .init(
        "pricing", "fields", "none",
        "`provider: {model: {…}}`, by the provider's id and its own name of the model."),
      .init("settings", "fields", "see there", "What holds for the whole gateway."),
      .init(
        "remove", "fields", "nothing",
        "What shall not be there: lists `aliases`, `combos`, `policies` (`organisation/model`), "
          + "`accounts` (`provider/name`), `keys` (revoked), `providers`, `organisations`."),
    ])

  /// Lists of names, told with the document.
  static let removal = ConfigurationShape(
    "remove",
    ConfigurationPlan.Removal.sections.map {
      .init($0, "list of texts", "`[]`", "What shall not be there: at most 10,000.")
    })

  static let provider = ConfigurationShape(
    "providers[]",
    [
      .init("id", "text", "required", "1 to 64 of `a-z A-Z 0-9 . _ -`; each once."),
      .init(
        "protocol", "text", "required",
        "`openai`, `anthropic` or `gemini`: what the provider is asked in."),
      .init(
        "base-url", "text", "required",
        "`http://…` or `https://…`, at most 512 bytes, without user, query and fragment. "
          + "With the version for `openai` (`…/v1`); for the others with or without it (`/v1`, `/v1beta`)."
      ),
      .init(
        "prefix", "text", "the id",
        "What clients write before the slash of `prefix/model`; as `id`, each once."),
      .init("enabled", "true or false", "`true`", "`false`: no request goes there."),
      .init("models", "list", "`[]`", "What it offers: at most 2,000."),
      .init(
        "excluded-models", "list of texts", "`[]`",
        "Names, or patterns with `*`, that are never offered: at most 500."),
      .init(
        "disabled-models", "list of texts", "`[]`",
        "Models taken out by hand, by the provider's own names: at most 2,000. Exactly these: what "
          + "is not in the list is enabled again."),
      .init(
        "health-check", "fields", "none", "Regular tests of its enabled accounts."),
      .init(
        "oauth", "fields", "none",
        "How its accounts' tokens are had and refreshed; what is left out of it has its default."),
      .init("accounts", "list", "`[]`", "Who is billed there: at most 10,000."),
    ])

  static let healthCheck = ConfigurationShape(
    "providers[].health-check",
    [
      .init(
        "interval", "duration", "required",
        "Between two tests of an account: `5s` to `24h` in whole seconds; `none`: no tests.")
    ])

  static let oauth = ConfigurationShape(
    "providers[].oauth",
    [
      .init(
        "kind", "text", "`generic`",
        "Whose ways it has: a row of [the table](oauth.md), for example `claude`."),
      .init(
        "token-url", "text", "required",
        "Where tokens are had and refreshed; `http://…` only to this machine, as all of these."),
      .init("authorize-url", "text", "none", "Where people allow it in a browser."),
      .init("device-url", "text", "none", "Where codes for other devices are had."),
      .init("revoke-url", "text", "none", "Where tokens are given back."),
      .init("user-info-url", "text", "none", "Where the service says whose a token is."),
      .init(
        "client-id", "text", "required",
        "By which the provider knows the client: 1 to 256 visible ASCII characters."),
      .init(
        "client-secret", "secret", "none", "As `api-key`; left out, the one that is there stays."),
      .init("scopes", "list of texts", "`[]`", "What is asked for: at most 64."),
      .init("encoding", "text", "`form`", "How requests are written: `form` or `json`."),
      .init(
        "refresh-lead", "duration", "`5m`",
        "How long before its end a token is refreshed: `0s` to `720h` in whole seconds."),
      .init(
        "family", "text", "`per-account`",
        "`per-client`: refreshing one account may revoke the others', so they follow one another."),
      .init(
        "spacing", "duration", "`0s`",
        "Between two refreshes of a family: `0s` to `1h` in whole seconds."),
    ])

  static let model = ConfigurationShape(
    "providers[].models[]",
    [
      .init(
        "name", "text", "required", "The provider's own name: 1 to 191 visible ASCII characters."),
      .init("alias", "text", "none", "A second name under the prefix; names and aliases differ."),
    ])

  static let account = ConfigurationShape(
    "providers[].accounts[]",
    [
      .init(
        "name", "text", "required", "1 to 64 visible ASCII characters, each once at a provider."),
      .init(
        "api-key", "secret", "none",
        "1 to 4,096 visible ASCII characters. Issued when it differs from what a file issued last; "
          + "one that was issued elsewhere since is left."),
      .init("priority", "`1`", "Lower is tried first.", 1...1_000),
      .init("weight", "`1`", "Share among accounts where the strategy is weighted.", 0...10_000),
      .init(
        "access-token", "secret", "none",
        "In place of `api-key`: 1 to 16,384 visible ASCII characters. Once it was refreshed, no file "
          + "sets it back."),
      .init("refresh-token", "secret", "none", "What brings the next access token; needs one."),
      .init("expires-at", "time", "none", "When the access token ends, RFC 3339."),
      .init("enabled", "true or false", "`true`", "`false`: no request goes there."),
    ])

  static let organisation = ConfigurationShape(
    "organisations[]",
    [
      .init("id", "text", "required", "1 to 64 of `a-z A-Z 0-9 . _ -`; each once."),
      .init("name", "text", "the id", "For people: 1 to 128 characters."),
      .init("limits", "fields", "no limit", "Of all its keys together."),
      .init("budgets", "list", "`[]`", "Of all its keys together: one for each period."),
    ])

  static let limits = ConfigurationShape(
    "organisations[].limits, keys[].limits",
    [
      .init("rps", "`0`", "Requests a second.", 0...1_000_000),
      .init(
        "burst", "`0`", "Requests at once after a quiet time; needs `rps`.", 0...1_000_000),
      .init("rpm", "`0`", "Requests a minute.", 0...10_000_000),
      .init("tpm", "`0`", "Tokens a minute.", 0...1_000_000_000_000),
      .init("concurrency", "`0`", "Requests under way at once.", 0...100_000),
    ])

  static let budget = ConfigurationShape(
    "organisations[].budgets[], keys[].budgets[]",
    [
      .init("period", "text", "required", "`day` or `month`."),
      .init(
        "timezone", "text", "`UTC`",
        "Where the period begins at midnight: `UTC`, or a fixed offset such as `+02:00`."),
      .init(
        "usd", "amount", "none",
        "US dollars: 0.000001 to 1000000000. At least one of `usd` and "
          + "`tokens`."),
      .init("tokens", "none", "Input and output together.", 1...1_000_000_000_000_000),
    ])

  static let key = ConfigurationShape(
    "keys[]",
    [
      .init("name", "text", "required", "1 to 128 bytes, each once."),
      .init(
        "key", "secret", "required",
        "1 to 4,096 visible ASCII characters; each once. A file never changes a key's secret."),
      .init(
        "organisation", "text", "`default`",
        "An id; one that no section names is made with the key. A key never moves."),
      .init("diagnostics", "true or false", "`false`", "May see which account served, and why."),
      .init(
        "allowed-models", "list of texts", "`[]`",
        "Names, or patterns with `*`: at most 500; `[]`: all."),
      .init(
        "allowed-accounts", "list of texts", "`[]`",
        "Accounts by `name` or `provider/name`: at most 500; `[]`: all."),
      .init(
        "expires-at", "time", "`never`",
        "RFC 3339, `2026-12-31T00:00:00Z`, or `never`; from then on the key is refused."),
      .init("limits", "fields", "no limit", "Of this key alone, beside its organisation's."),
      .init("budgets", "list", "`[]`", "Of this key alone, beside its organisation's."),
    ])

  static let policy = ConfigurationShape(
    "policies[]",
    [
      .init(
        "organisation", "text", "required",
        "An id, or `\"*\"` (in quotes) for each that has no policy of its own for the model."),
      .init("model", "text", "required", "As clients write it, without prefix."),
      .init("accounts", "list", "required", "1 to 64 different ones; one weight is above 0."),
      .init(
        "failover-threshold", "`3`", "Consecutive failures after which an account cools.",
        1...1_000),
    ])

  static let share = ConfigurationShape(
    "policies[].accounts[]",
    [
      .init(
        "name", "text", "required",
        "An account's name, or `provider/name` where several providers have one of that name."),
      .init("weight", "`1`", "Share of the requests; 0: none.", 0...10_000),
    ])

  static let price = ConfigurationShape(
    "pricing.<provider>.<model>",
    [
      .init("input", "amount", "required", "Tokens of requests."),
      .init("output", "amount", "required", "Tokens of answers."),
      .init("cached", "amount", "as `input`", "Tokens of requests that upstream had in its cache."),
      .init("reasoning", "amount", "as `output`", "Tokens of thinking."),
      .init("cache-creation", "amount", "as `input`", "Tokens written to upstream's cache."),
    ])

  static let settings = ConfigurationShape(
    "settings",
    [
      .init(
        "fallback-strategy", "text", "`fill-first`",
        "How an account is picked: `fill-first`, `round-robin`, `weighted`, `least-latency` or "
          + "`session-sticky`."),
      .init(
        "require-api-key", "true or false", "`true`", "Requests without a valid key are refused."),
      .init(
        "force-model-prefix", "true or false", "`false`",
        "Bare names of models are refused; aliases and combos are not."),
      .init("max-body-bytes", "`33554432`", "Of a request.", 1_024...(256 << 20)),
      .init(
        "sticky-round-robin-limit", "`3`",
        "Requests in a row that one account gets under `round-robin`.", 1...10_000),
      .init("max-attempts", "`8`", "Upstream calls of one request at most.", 1...64),
      .init(
        "request-timeout-seconds", "`600`",
        "From a request's arrival to the first byte of its answer.", 1...3_600),
      .init(
        "trusted-proxies", "list of texts", "`[]`",
        "Addresses, or `address/bits`, whose forwarded headers are believed: at most 64."),
      .init(
        "cloud-url", "text", "none",
        "The system to exchange with: https, or http to this machine."),
      .init("cloud-protocol", "text", "`signalbox`", "What it speaks: `signalbox` or `9router`."),
      .init("cloud-token", "text, secret", "none", "Shown to that system."),
      .init(
        "machine-id", "text", "none", "This node's name at a system that speaks `9router`."),
      .init(
        "sync-secrets", "true or false", "`false`",
        "Whether tokens are told to a system that speaks `9router`, and taken from it; between nodes credentials always travel, sealed."
      ),
      .init("sync-interval-seconds", "`300`", "Between two exchanges.", 10...86_400),
    ],
    unbuilt: ["failover-threshold", "record-bodies"])

  private init(_ path: String, _ fields: [Field], unbuilt: [String] = []) {
    self.path = path
    self.fields = fields
    self.unbuilt = unbuilt
  }
}

extension ConfigurationShape.Field {
  fileprivate init(_ name: String, _ type: String, _ standard: String, _ meaning: String) {
    self.init(name: name, type: type, standard: standard, meaning: meaning, range: nil)
  }

  fileprivate init(
    _ name: String, _ standard: String, _ meaning: String, _ range: ClosedRange<UInt64>
  ) {
    self.init(
      name: name, type: "whole number", standard: standard, meaning: meaning, range: range)
  }
}
