import Domain
import NIOCore
import Surface
import Translation

/// What a request needs beside the usual where an account speaks another protocol than its client.
///
/// The client's body is read once, however many accounts are asked.
final class TranslatedExchange {
  let facts: AnswerFacts
  /// What the part of the request takes that answers repeat.
  let echoedBytes: Int
  /// nil: it was given up when the answer began.
  private var conversation: Result<Conversation, TranslationFault>?
  /// A Gemini client wants its stream as one JSON array.
  let wantsArray: Bool

  /// nil: the account under way speaks the client's protocol.
  private(set) var translator: Translator?
  /// The body for the account under way.
  private(set) var request = ByteBuffer()

  // The answer of the account under way.
  var stream: TranslatedStream?
  var answer: TranslatedBody?
  /// The answer is not of the kind that was asked for: a stream instead of one body, or the other way round.
  var isOfOtherKind = false

  /// Reads the client's body; `facts`: all but the part of the request that answers repeat.
  init(
    _ body: ByteBuffer, of client: Dialect, isStream: Bool, wantsArray: Bool, facts: AnswerFacts
  ) {
    self.wantsArray = wantsArray
    var facts = facts
    // Any provider's translator reads the client's side alike.
    if let translator = Translator(client: client, provider: .chat) {
      do throws(TranslationFault) {
        let value = try Self.parse(body)
        conversation = .success(try translator.read(value, isStream: isStream))
        facts.request = translator.echoed(of: value)
      } catch {
        conversation = .failure(error)
      }
    } else {
      conversation = .failure(Self.untranslatable)
    }
    self.facts = facts
    echoedBytes = facts.request.weight
  }

  /// More values than this are not translated.
  ///
  /// What is made of them takes up to `bytesPerValue` each, and 0.4 µs, in which its loop does nothing else.
  static let valuesMax = 250_000
  /// What a value of the request takes while it is translated: read, understood and written again.
  static let bytesPerValue = 256

  /// The values in the arguments of its calls: texts for the client, and objects for some providers.
  var argumentValues: Int {
    guard case .success(let conversation) = conversation else { return 0 }
    var count = 0
    for turn in conversation.turns {
      for part in turn.parts {
        guard case .toolCall(let call) = part.content else { continue }
        var arguments = call.arguments
        count += arguments.withUTF8 { JSONValidator.valueCount(in: UnsafeRawBufferPointer($0)) }
      }
    }
    return count
  }

  private static let untranslatable = TranslationFault(
    .notCarried, "model", "The model's provider speaks a protocol that has no such operation.")

  private static func parse(_ body: ByteBuffer) throws(TranslationFault) -> JSONValue {
    do throws(JSONFault) {
      return try body.withUnsafeReadableBytes { bytes in
        Result { () throws(JSONFault) in try JSONValue.parse(bytes) }
      }.get()
    } catch {
      throw TranslationFault(.malformed, error.field ?? "", error.message)
    }
  }

  /// Writes the request for another account; an answer of the one before is forgotten.
  func begin(
    client: Dialect, provider: Dialect, model: String, includesUsage: Bool
  ) throws(TranslationFault) {
    resetAnswer()
    guard let translator = Translator(client: client, provider: provider) else {
      throw Self.untranslatable
    }
    self.translator = translator
    guard var written = try written(by: translator, model: model) else { return }
    if !includesUsage, case .object(let members) = written {
      written = .object(members.filter { $0.name != "stream_options" })
    }
    request = ByteBuffer(bytes: written.bytes)
  }

  /// Whether the request can be told to such a provider; nothing is kept of it.
  func canBegin(client: Dialect, provider: Dialect, model: String) -> Bool {
    guard let translator = Translator(client: client, provider: provider) else { return false }
    return (try? written(by: translator, model: model)) != nil
  }

  private func written(
    by translator: Translator, model: String
  ) throws(TranslationFault) -> JSONValue? {
    guard var conversation = try conversation?.get() else { return nil }
    conversation.model = model
    return try translator.write(conversation)
  }

  /// The account under way speaks the client's protocol.
  func standAside() {
    resetAnswer()
    translator = nil
    request = ByteBuffer()
  }

  /// The answer begins, or there will be none: nobody else is asked.
  func releaseRequest() {
    conversation = nil
    request = ByteBuffer()
  }

  func resetAnswer() {
    stream = nil
    answer = nil
    isOfOtherKind = false
  }
}

extension JSONValue {
  /// Roughly the bytes that it takes in memory.
  fileprivate var weight: Int {
    switch self {
    case .object(let members):
      members.reduce(64) { $0 + 32 + $1.name.utf8.count + $1.value.weight }
    case .array(let elements): elements.reduce(64) { $0 + $1.weight }
    case .string(let text), .number(let text): 32 + text.utf8.count
    case .bool, .null: 16
    }
  }
}

extension AnswerFault {
  /// What it is called as a fault of an answer under a good status; nil: the bound is ours.
  func hidden(inStream: Bool) -> HiddenFault? {
    switch self {
    case .reported: inStream ? .errorInStream : .errorInAnswer
    case .empty: inStream ? .emptyStream : .emptyAnswer
    case .broken: .brokenAnswer
    case .notCarried: .answerNotCarried
    case .tooLarge: nil
    case .malformed: .malformedAnswer
    }
  }
}
