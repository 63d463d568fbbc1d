/// Why a text is no key: it is what a manual writes in a key's place.
public enum SampleKey: Error, Sendable, Hashable, CaseIterable {
  /// `${NAME}`, `$NAME`, `{{name}}`, `%NAME%` or `<name>`: nothing has put the value in.
  case unexpanded
  /// `your-api-key`, `sk-...`, `sk-xxxx`: to be replaced.
  case placeholder
  /// A word or key that manuals and examples use: everybody can guess it.
  case wellKnown

  /// What a key is for.
  public enum Use: Sendable, Hashable, CaseIterable {
    /// What clients show to the gateway.
    case client
    /// What the gateway shows to a provider. A server of one's own may ask for no key and be given a word such
    /// as `none`; of a client that would be no secret.
    case upstream
  }

  /// What is wrong, to stand behind the field's name.
  public var sentence: String {
    switch self {
    case .unexpanded: "is the name of a variable, not its value"
    case .placeholder: "is a placeholder, not a key"
    case .wellKnown: "is a key of examples, which everybody knows"
    }
  }

  /// What to do about it.
  public var remedy: String {
    switch self {
    case .unexpanded: "Set the variable where it is expanded, or send the key itself."
    case .placeholder: "Put the key itself in its place."
    case .wellKnown: "Use a key that nobody can guess, for example one that the gateway makes."
    }
  }

  /// The flaw of a key; nil: it may be used.
  public init?(_ key: String, for use: Use) {
    let text = key.lowercased()
    if Self.isVariable(text) {
      self = .unexpanded
    } else if Self.isPlaceholder(text) {
      self = .placeholder
    } else if Self.known.contains(text) || use == .client && Self.keyless.contains(text) {
      self = .wellKnown
    } else {
      return nil
    }
  }

  private static func isVariable(_ text: String) -> Bool {
    if text.contains("${") || text.contains("$(") || text.contains("{{") { return true }
    guard let first = text.first, let last = text.last, text.count > 2 else { return false }
    if first == "<" && last == ">" || first == "%" && last == "%" { return true }
    return first == "$" && text.dropFirst().allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
  }

  private static func isPlaceholder(_ text: String) -> Bool {
    if text.contains("...") || text.contains("…") || text.contains("***") { return true }
    // A word in a key of chance would need seven given characters in a row: once in 10^9 keys.
    let joined = text.filter { $0 != "-" && $0 != "_" && $0 != "." && $0 != " " }
    if phrases.contains(where: { joined.contains($0) }) { return true }
    let body = prefixes.first { text.hasPrefix($0) }.map { text.dropFirst($0.count) } ?? text[...]
    // `sk-xxxx-xxxx`, `0000000`: one character over and over; `sk-`: nothing at all.
    return Set(body.filter { $0 != "-" && $0 != "_" }).count < (body.count > 2 ? 2 : 1)
  }

  private static let phrases = [
    "yourkey", "yourapikey", "yoursecret", "yourtoken", "youropenai", "youranthropic",
    "apikeyhere", "keyhere", "tokenhere", "secrethere", "insertkey", "pastekey", "pasteyour",
    "changeme", "replaceme", "replacewith", "placeholder", "examplekey", "samplekey",
    "akiaiosfodnn7example",
  ]

  private static let prefixes = [
    "sk-proj-", "sk-ant-", "sk-or-", "sk-sb-", "sk-", "pk-", "bearer ",
  ]

  private static let known: Set<String> = [
    "test", "test123", "test-123", "test_123", "test-key", "testkey", "test-api-key", "sk-test",
    "sk-test-key", "sk-test-123", "sk-test123", "sk-123", "sk-1234", "sk-12345", "sk-123456",
    "sk-12345678", "sk-123456789", "sk-1234567890", "sk-1234567890abcdef", "sk-abc123",
    "sk-abcdef", "sk-demo", "sk-example", "sk-key", "sk-secret", "sk-proxy", "sk-local",
    "sk-litellm", "sk-litellm-master-key", "sk-master-key", "sk-admin", "sk-default",
    "demo", "demo-key", "example", "sample", "secret", "mysecret",
    "my-secret", "my-api-key", "my-key", "api-key", "api_key", "apikey", "key", "token", "password",
    "default", "admin", "signalbox", "1234", "12345", "123456", "12345678", "123456789",
    "1234567890", "abc", "abc123", "abcdef", "foo", "bar", "foobar", "undefined", "null", "nil",
    "todo", "tbd", "fixme",
  ]

  /// What servers that ask for no key are given.
  private static let keyless: Set<String> = [
    "none", "no", "empty", "dummy", "dummy-key", "sk-dummy", "fake", "fake-key", "sk-fake",
    "sk-none", "sk-no-key", "sk-no-key-required", "no-key", "no-key-required", "not-needed",
    "not-required", "unused", "ignored", "ollama", "lm-studio", "lmstudio", "vllm", "local",
  ]
}
