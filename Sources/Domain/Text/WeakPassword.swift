/// Why a text may not be the administrator's password.
public enum WeakPassword: Error, Sendable, Hashable, CaseIterable {
  /// Fewer than 12 characters.
  case tooShort
  /// More than 1,024 bytes.
  case tooLong
  /// Without the words that everybody tries first, too little is left.
  case wellKnown
  /// The same few characters, or a row of neighbours such as 1234 and abcd.
  case repetitive

  /// Characters that a password needs at least.
  ///
  /// Twelve: sign-in admits a few guesses a minute, so what counts is a stolen data directory. Against scrypt
  /// at some ten guesses a second and core, twelve letters chosen by dice outlast any attacker, and eight do not.
  public static let charactersMin = 12
  /// Bytes that a password may have at most: hashing is work that whoever signs in chooses.
  public static let bytesMax = 1024

  /// What is wrong, to stand behind the field's name.
  public var sentence: String {
    switch self {
    case .tooShort: "has fewer than \(Self.charactersMin) characters"
    case .tooLong: "has more than \(Self.bytesMax) bytes"
    case .wellKnown: "is one of those that everybody tries first, or little more than such words"
    case .repetitive: "repeats a few characters, or is a row such as 1234 or abcd"
    }
  }

  /// What to do about it.
  public static let remedy =
    "Choose at least \(charactersMin) characters, for example: head -c 18 /dev/urandom | base64."

  /// The flaw of a password; nil: it may be used.
  public init?(of password: String) {
    guard password.utf8.count <= Self.bytesMax else {
      self = .tooLong
      return
    }
    guard password.unicodeScalars.count >= Self.charactersMin else {
      self = .tooShort
      return
    }
    let text = Array(password.lowercased().unicodeScalars)
    // Read as written, with digits as the letters they stand for, and without what separates words.
    let joined = text.filter { !Self.separators.contains($0) }
    let forms = [text, text.map(Self.letter), joined, joined.map(Self.letter)]
    let restless = forms.map { Self.withoutRows($0) }
    if restless.contains(where: { Self.variety($0) < Self.varietyMin }) {
      self = .repetitive
      return
    }
    for form in forms {
      let rest = Self.withoutRows(Self.withoutWords(form))
      if Self.variety(rest) < Self.varietyMin {
        self = .wellKnown
        return
      }
    }
    return nil
  }

  /// Different characters that must be left.
  private static let varietyMin = 5

  private static let separators: Set<Unicode.Scalar> = [" ", "-", "_", ".", gap]
  /// Stands where something was taken out, so that its neighbours do not become a word.
  private static let gap: Unicode.Scalar = "\u{0}"

  private static func variety(_ text: [Unicode.Scalar]) -> Int {
    Set(text.filter { !separators.contains($0) }).count
  }

  /// The letter that a digit or sign is written for.
  private static func letter(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    switch scalar {
    case "0": "o"
    case "1", "!": "i"
    case "3": "e"
    case "4", "@": "a"
    case "5", "$": "s"
    case "7": "t"
    default: scalar
    }
  }

  /// Without stretches of four and more that go on by the same step of -1, 0 or 1; 0 follows 9.
  private static func withoutRows(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var kept: [Unicode.Scalar] = []
    var start = 0
    while start < text.count {
      var end = start + 1
      if end < text.count, let step = step(text[start], text[end]) {
        while end < text.count, self.step(text[end - 1], text[end]) == step { end += 1 }
      }
      if end - start >= 4 {
        kept.append(gap)
        start = end
      } else {
        kept.append(text[start])
        start += 1
      }
    }
    return kept
  }

  private static func step(_ a: Unicode.Scalar, _ b: Unicode.Scalar) -> Int? {
    if a == "9" && b == "0" { return 1 }
    if a == "0" && b == "9" { return -1 }
    let step = Int(b.value) - Int(a.value)
    return (-1...1).contains(step) ? step : nil
  }

  private static func withoutWords(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var text = text
    for word in words {
      var index = 0
      while index + word.count <= text.count {
        if text[index..<index + word.count].elementsEqual(word) {
          text.replaceSubrange(index..<index + word.count, with: [gap])
        }
        index += 1
      }
    }
    return text
  }

  /// Longest first, so that no short word spoils a longer one.
  private static let words: [[Unicode.Scalar]] = [
    // Of this program, its kin and its one user.
    "signalbox", "gateway", "router", "9router", "omniroute", "litellm", "openai", "anthropic",
    "admin", "administrator", "root", "operator", "user", "username", "guest", "server",
    "localhost", "production", "staging", "company",
    // Samples of manuals.
    "password", "passwort", "passphrase", "passwd", "pass", "pwd", "changeme", "change", "replace",
    "secret", "default", "example", "sample", "test", "testing", "demo", "temp", "temporary",
    "login", "welcome", "letmein", "access", "master", "private", "please", "correct", "horse",
    "battery", "staple", "hunter2", "trustno1",
    // Rows of the keyboard.
    "qwertyuiop", "qwertzuiop", "qwerty", "qwertz", "asdfghjkl", "asdfgh", "asdf", "zxcvbnm",
    "zxcvbn", "zxcv", "1q2w3e4r5t", "1q2w3e4r", "q1w2e3r4", "1qaz2wsx", "1qaz", "2wsx", "3edc",
    "qazwsx",
    // The favourites of every leaked list.
    "iloveyou", "monkey", "dragon", "football", "baseball", "sunshine", "princess", "superman",
    "batman", "starwars", "shadow", "whatever", "summer", "winter", "spring", "autumn",
    "january", "february", "march", "april", "june", "july", "august", "september", "october",
    "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
    "sunday",
  ].map { Array($0.unicodeScalars) }.sorted { $0.count > $1.count }
}
