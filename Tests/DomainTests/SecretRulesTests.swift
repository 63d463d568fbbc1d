import Support
import Testing

@testable import Domain

/// Which passwords and keys are too well known to be any.
struct SecretRulesTests {
  @Test(
    arguments: [
      ("", .tooShort), ("123456", .tooShort), ("admin", .tooShort), ("changeme", .tooShort),
      ("Tr0ub4dor&3", .tooShort), ("eleven-char", .tooShort),
      ("passwordpassword", .wellKnown), ("Password1234", .wellKnown), ("P@ssw0rd2024!", .wellKnown),
      ("admin-changeme", .wellKnown), ("change_me_please", .wellKnown),
      ("signalbox-admin", .wellKnown), ("SignalBox2026!", .wellKnown),
      ("Administrator1", .wellKnown), ("letmein-letmein", .wellKnown),
      ("s.e.c.r.e.t.1.2", .wellKnown),
      ("correct horse battery staple", .wellKnown), ("qwertyuiop12", .wellKnown),
      ("1qaz2wsx3edc", .wellKnown), ("Summer2026!!", .wellKnown), ("iloveyou12345", .wellKnown),
      ("123456789012", .repetitive), ("987654321098", .repetitive),
      ("abcdefghijklmnop", .repetitive),
      ("aaaaaaaaaaaaaaaa", .repetitive), ("abababababab", .repetitive),
      ("112233112233", .repetitive),
      ("            ", .repetitive), ("xxxx-1234-abcd-xxxx", .repetitive),
      (String(repeating: "long enough and more. ", count: 50), .tooLong),
    ] as [(String, WeakPassword)])
  func `a weak password is refused with its reason`(password: String, flaw: WeakPassword) {
    #expect(WeakPassword(of: password) == flaw)
  }

  @Test(arguments: [
    "a-password-for-tests", "twelve chars", "zK4#mQ9!vR2x", "the lamp hangs in the signal box",
    "Äpfel, Birnen & Quitten", "839201847362", "密码要长一点才行我说真的呀", "e2e-hedgehog-at-the-lamp",
  ])
  func `a password of one's own is taken`(password: String) {
    #expect(WeakPassword(of: password) == nil)
  }

  @Test func `passwords of chance are taken, whatever they are`() {
    var random = SeededRandom(seed: 20_261_121)
    let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    for _ in 0..<2_000 {
      let text = String((0..<24).map { _ in digits[Int(random.next() % UInt64(digits.count))] })
      #expect(WeakPassword(of: text) == nil, "\(text)")
      #expect(SampleKey("sk-sb-" + text, for: .client) == nil, "\(text)")
      #expect(SampleKey(text, for: .upstream) == nil, "\(text)")
    }
  }

  @Test(
    arguments: [
      ("${OPENAI_API_KEY}", .unexpanded), ("$OPENAI_API_KEY", .unexpanded),
      ("sk-${KEY}", .unexpanded), ("$(cat", .unexpanded), ("{{api_key}}", .unexpanded),
      ("%API_KEY%", .unexpanded), ("<your-key>", .unexpanded), ("<API_KEY>", .unexpanded),
      ("sk-...", .placeholder), ("sk-…", .placeholder), ("sk-ant-...", .placeholder),
      ("your-api-key", .placeholder), ("YOUR_API_KEY", .placeholder),
      ("your-openai-key", .placeholder),
      ("sk-your-key-here", .placeholder), ("changeme", .placeholder), ("change-me", .placeholder),
      ("sk-changeme-123", .placeholder), ("replace_me", .placeholder), ("sk-xxxx", .placeholder),
      ("sk-proj-xxxx-xxxx-xxxx", .placeholder), ("xxxxxxxxxxxxxxxx", .placeholder),
      ("0000000000", .placeholder), ("sk-****", .placeholder), ("sk-", .placeholder),
      ("insert-key", .placeholder), ("AKIAIOSFODNN7EXAMPLE", .placeholder),
      ("test-123", .wellKnown), ("TEST-123", .wellKnown), ("test", .wellKnown),
      ("sk-test", .wellKnown), ("sk-1234", .wellKnown), ("sk-1234567890", .wellKnown),
      ("123456", .wellKnown), ("password", .wellKnown), ("api-key", .wellKnown),
      ("secret", .wellKnown), ("null", .wellKnown), ("undefined", .wellKnown),
    ] as [(String, SampleKey)])
  func `what manuals write in a key's place is no key`(text: String, flaw: SampleKey) {
    #expect(SampleKey(text, for: .client) == flaw)
    #expect(SampleKey(text, for: .upstream) == flaw)
  }

  @Test(arguments: ["EMPTY", "none", "ollama", "lm-studio", "not-needed", "sk-no-key-required"])
  func `a server without keys may be given a word, a client may not`(text: String) {
    #expect(SampleKey(text, for: .upstream) == nil)
    #expect(SampleKey(text, for: .client) == .wellKnown)
  }

  @Test(arguments: [
    "sk-upstream-1", "sk-client-of-the-file", "gsk_9fX2", "AIzaSyD-9tSrke72", "a.b$c",
  ])
  func `a key of one's own is taken`(text: String) {
    for use in SampleKey.Use.allCases { #expect(SampleKey(text, for: use) == nil) }
  }
}
