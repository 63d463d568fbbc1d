import Domain
import NIOCore
import Surface
import Translation

/// Collects a provider's whole answer, which a client of another protocol gets in its own words.
///
/// Nothing goes out before all of it was read, so that another account can still be asked. Pure: bytes in, bytes out.
struct TranslatedBody {
  /// Larger answers are given up; with pictures in them they are of some MiB.
  static let answerBytes = 32 << 20

  /// What the bytes taken so far lead to.
  enum Step: Sendable, Hashable {
    case `continue`
    /// It begins like a page of markup.
    case markup
    /// It is larger than `answerBytes`.
    case tooLong
  }

  /// What was read so far.
  private(set) var kept = ByteBuffer()
  private var sawInk = false

  /// Takes the next bytes.
  mutating func take(_ slice: ByteBuffer) -> Step {
    guard kept.readableBytes + slice.readableBytes <= Self.answerBytes else { return .tooLong }
    if kept.readableBytes == 0 { kept = slice } else { kept.writeImmutableBuffer(slice) }
    guard !sawInk, let first = slice.readableBytesView.first(where: { $0 > 0x20 }) else {
      return .continue
    }
    sawInk = true
    return first == UInt8(ascii: "<") ? .markup : .continue
  }

  /// The answer in the client's words, and what it cost.
  func translated(
    _ translator: Translator, for facts: AnswerFacts
  ) throws(AnswerFault) -> (body: ByteBuffer, usage: TokenUsage) {
    let answer = try translator.answer(Array(kept.readableBytesView), for: facts)
    return (ByteBuffer(bytes: answer.bytes), answer.usage)
  }
}
