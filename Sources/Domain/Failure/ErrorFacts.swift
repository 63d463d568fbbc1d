/// What an upstream's error says, reduced to what decisions need; none of its text is kept.
public struct ErrorFacts: Sendable, Hashable {
  /// It is an error object of some dialect, and not merely text.
  public var isErrorObject: Bool
  /// Its type, code, status and reason words in lower case: at most 8, each 1…64 of `a-z 0-9 _ - . /`.
  public private(set) var names: [String]
  /// The field of the request that it complains about; at most 64 bytes.
  public var param: String?
  /// A status that it names, 400…599: in answers whose own status is good, or a stream's.
  public var status: Int?
  /// What is known of its message.
  public var words: FailureWords
  /// How long to wait, as the error itself says, in nanoseconds; more than 0, up to 366 days.
  public var resetAfter: Int64?

  /// Nothing is known: no body, or one that cannot be read.
  public static let none = ErrorFacts()

  /// An error of these parts; names beyond the bounds are left out.
  public init(
    isErrorObject: Bool = false, names: [String] = [], param: String? = nil, status: Int? = nil,
    words: FailureWords = [], resetAfter: Int64? = nil
  ) {
    self.isErrorObject = isErrorObject
    self.names = []
    self.param = param
    self.status = status
    self.words = words
    self.resetAfter = resetAfter
    for name in names { add(name: name) }
  }

  /// Adds a type, code, status or reason word, if it is one.
  public mutating func add(name: String) {
    let lower = name.lowercased()
    guard names.count < 8, 1...64 ~= lower.utf8.count, !names.contains(lower),
      lower.utf8.allSatisfy({
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"):
          true
        case _: false
        }
      })
    else { return }
    names.append(lower)
  }
}

/// What an error's message is about, found by phrases.
///
/// Errors may quote the request. A word that can put an account aside under a status that bad requests have is
/// therefore only found where the message *begins* with it: what a client wrote never stands there.
public struct FailureWords: OptionSet, Sendable, Hashable {
  /// One bit a word.
  public let rawValue: UInt32
  /// Wraps the bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  static let badKey = Self(rawValue: 1 << 0)
  static let noCredit = Self(rawValue: 1 << 1)
  static let deactivated = Self(rawValue: 1 << 2)
  static let notPermitted = Self(rawValue: 1 << 3)
  static let region = Self(rawValue: 1 << 4)
  static let noModel = Self(rawValue: 1 << 5)
  static let noEndpoint = Self(rawValue: 1 << 6)
  static let streamOptions = Self(rawValue: 1 << 7)
  static let beyondLimit = Self(rawValue: 1 << 8)
  static let tooLong = Self(rawValue: 1 << 9)
  static let filtered = Self(rawValue: 1 << 10)
  static let overloaded = Self(rawValue: 1 << 11)
  static let modelOverloaded = Self(rawValue: 1 << 12)
  static let perDay = Self(rawValue: 1 << 13)
  static let perModel = Self(rawValue: 1 << 14)
  /// The page asks for a human.
  public static let challenge = Self(rawValue: 1 << 15)
  static let longContext = Self(rawValue: 1 << 16)
  static let noChannel = Self(rawValue: 1 << 17)
  static let unsupportedModel = Self(rawValue: 1 << 18)
  static let noModelAccess = Self(rawValue: 1 << 19)
  /// The text is a web page.
  public static let page = Self(rawValue: 1 << 20)

  /// What a quota's name may say.
  public static let quotas: Self = [.perDay, .perModel]

  /// Of a message, the first this many bytes are looked at.
  public static let messageBytesMax = 512

  /// Finds the words of a message; beyond its first 512 bytes nothing is looked at.
  public init(message: some Sequence<UInt8>) {
    let text = message.prefix(Self.messageBytesMax).map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }
    var found: Self = []
    for phrase in Phrase.all where !found.contains(phrase.word) && phrase.matches(text) {
      found.insert(phrase.word)
    }
    self = found
  }
}

/// A phrase: parts that follow one another in this order, in lower case.
private struct Phrase: Sendable {
  var word: FailureWords
  var parts: [[UInt8]]
  /// The message begins with the first part.
  var begins: Bool

  /// Of a pattern: `^` at its start if the message begins so, `*` for any bytes; in what puts a model aside for
  /// one word only, which is a model's name: several may be what a client wrote.
  init(_ word: FailureWords, _ pattern: String) {
    self.word = word
    begins = pattern.utf8.first == UInt8(ascii: "^")
    parts = pattern.utf8.dropFirst(begins ? 1 : 0).split(separator: UInt8(ascii: "*")).map(
      Array.init)
  }

  func matches(_ text: [UInt8]) -> Bool {
    var from = 0
    for (index, part) in parts.enumerated() {
      guard let found = Self.find(part, in: text, from: from, only: begins && index == 0) else {
        return false
      }
      let gap = text[from..<found]
      if index > 0, namesModel, gap.dropLast().contains(0x20) { return false }
      from = found + part.count
    }
    return true
  }

  private var namesModel: Bool {
    word == .noModel || word == .noModelAccess || word == .unsupportedModel
  }

  private static func find(_ part: [UInt8], in text: [UInt8], from: Int, only: Bool) -> Int? {
    guard let first = part.first, from + part.count <= text.count else { return nil }
    for start in from...(only ? from : text.count - part.count)
    where text[start] == first && text[start..<start + part.count].elementsEqual(part) {
      return start
    }
    return nil
  }

  static let all: [Phrase] = [
    Phrase(.badKey, "^api key not valid"), Phrase(.badKey, "^api key expired"),
    Phrase(.badKey, "^incorrect api key"), Phrase(.badKey, "^invalid api key"),
    Phrase(.badKey, "^invalid x-api-key"), Phrase(.badKey, "^invalid bearer token"),
    Phrase(.badKey, "^your api key was reported as leaked"),
    Phrase(.noCredit, "^your credit balance is too low"),
    Phrase(.noCredit, "^insufficient balance"), Phrase(.noCredit, "^insufficient credit"),
    Phrase(.noCredit, "^this request requires more credits"),
    Phrase(.noCredit, "^your account is not active, please check your billing"),
    Phrase(.noCredit, "^this api method requires billing"),
    Phrase(.deactivated, "^this organization has been disabled"),
    Phrase(.deactivated, "^your account has been"), Phrase(.deactivated, "^this account has been"),
    Phrase(.deactivated, "^the openai account associated with this api key has been"),
    Phrase(.notPermitted, "^this credential is only authorized"),
    Phrase(.region, "^user location is not supported"),
    Phrase(.region, "^gemini api free tier is not available"),
    Phrase(.region, "^country, region, or territory not supported"),
    Phrase(.noModel, "^the model *does not exist"), Phrase(.noModel, "^model *does not exist"),
    Phrase(.noModel, "^model: "), Phrase(.noModel, "^model *not found"),
    Phrase(.noModel, "^model not found"),
    Phrase(.noModel, "^models/*is not found"), Phrase(.noModel, "^unknown model"),
    Phrase(.noModel, "^no such model"), Phrase(.noModel, "^invalid model"),
    Phrase(.noModel, "^the api deployment for this resource does not exist"),
    Phrase(.noModel, "^no endpoints found"),
    Phrase(.noModelAccess, "^project *does not have access to model"),
    Phrase(.noModelAccess, "^you do not have access to the model"),
    Phrase(.noModelAccess, "^your organization must be verified to use the model"),
    Phrase(.unsupportedModel, "^this model is not supported"),
    Phrase(.unsupportedModel, "^this is not a chat model"),
    Phrase(
      .unsupportedModel, "^the chatcompletion operation does not work with the specified model"),
    Phrase(.unsupportedModel, "^the *model is not supported"),
    Phrase(.noEndpoint, "^invalid url"), Phrase(.noEndpoint, "^unknown request url"),
    Phrase(.noEndpoint, "^resource not found"), Phrase(.noEndpoint, "^cannot post"),
    Phrase(.noEndpoint, "^404 page not found"), Phrase(.noEndpoint, "^no route"),
    Phrase(.streamOptions, "^unrecognized request argument supplied: stream_options"),
    Phrase(.streamOptions, "^unknown parameter: 'stream_options"),
    Phrase(.streamOptions, "^unsupported parameter: 'stream_options"),
    Phrase(.streamOptions, "^invalid json payload received. unknown name \"stream_options"),
    Phrase(.streamOptions, "^additional properties are not allowed ('stream_options"),
    Phrase(.streamOptions, "^stream_options"), Phrase(.streamOptions, "^'stream_options"),
    Phrase(.streamOptions, "^property 'stream_options"),
    Phrase(.beyondLimit, "^request too large for"),
    Phrase(.longContext, "^usage credits are required for long context"),
    Phrase(.longContext, "^extra usage is required for long context"),
    Phrase(.longContext, "^this request would exceed *long context"),
    Phrase(.tooLong, "maximum context length"), Phrase(.tooLong, "context length"),
    Phrase(.tooLong, "prompt is too long"), Phrase(.tooLong, "context window"),
    Phrase(.tooLong, "input token count*exceeds"),
    Phrase(.tooLong, "exceed context limit"),
    Phrase(.filtered, "moderation"), Phrase(.filtered, "content management policy"),
    Phrase(.filtered, "content policy"), Phrase(.filtered, "content filter"),
    Phrase(.overloaded, "overloaded"), Phrase(.overloaded, "capacity"),
    Phrase(.overloaded, "server is busy"), Phrase(.overloaded, "high demand"),
    Phrase(.modelOverloaded, "model is overloaded"),
    Phrase(.modelOverloaded, "model is currently overloaded"),
    Phrase(.modelOverloaded, "model is currently experiencing high demand"),
    Phrase(.noChannel, "^no available channel"), Phrase(.noChannel, "^no available provider"),
    Phrase(.noChannel, "^there are no available channels"),
    Phrase(.perDay, "perday"), Phrase(.perDay, "per day"), Phrase(.perDay, "daily"),
    Phrase(.perModel, "permodel"), Phrase(.perModel, "^rate limit reached for *in organization"),
    Phrase(.challenge, "just a moment"), Phrase(.challenge, "attention required"),
    Phrase(.challenge, "cloudflare"), Phrase(.challenge, "cf-chl"),
    Phrase(.challenge, "cf-mitigated"),
  ]
}
