public import Domain
import Surface

/// Turns the frames of a provider's stream into those that the client reads, as they come.
///
/// What ends the answer is kept apart from what precedes it, and made only when the provider has said that this was
/// all: so an answer that breaks off can never look whole.
public struct StreamTranslation {
  /// What the frames taken so far lead to.
  public enum Step: Sendable, Hashable {
    case `continue`
    /// The answer is whole; its last frames are in `end`.
    case ended
    /// It is none, or none any more.
    case fault(AnswerFault)
  }

  /// Something of an answer came: a part of it, or why there is none.
  public private(set) var hasContent = false
  /// The last figures seen.
  public private(set) var usage: TokenUsage?
  /// The last frames of a whole answer.
  public private(set) var end: [UInt8] = []

  private var reader: any StreamReader
  private var writer: any StreamWriter
  /// The reason to stop and what came after it.
  private var closing: [StreamEvent] = []
  /// The writer before it wrote the end.
  private var unended: (any StreamWriter)?
  private var isOver = false
  private var halves = HalfCharacters()

  init(_ reader: any StreamReader, _ writer: any StreamWriter) {
    self.reader = reader
    self.writer = writer
  }

  /// Takes the data of one frame; appends what the client may read of it.
  ///
  /// After `ended` or a fault nothing counts.
  public mutating func take(
    event: String?, data: [UInt8], into bytes: inout [UInt8]
  ) -> Step {
    if isOver { return .continue }
    let value: JSONValue
    do throws(AnswerFault) {
      value = try answerTree(data, halves: &halves.areThere)
    } catch {
      return over(error)
    }
    let events: [StreamEvent]
    do throws(TranslationFault) {
      events = try reader.take(event: event, data: value)
    } catch {
      return over(AnswerFault(error))
    }
    return take(events, into: &bytes)
  }

  /// The provider sends nothing more; `continue`: it did not say that this was all.
  public mutating func finish(into bytes: inout [UInt8]) -> Step {
    isOver ? .continue : take(reader.finish(), into: &bytes)
  }

  /// The frames that tell the client of a failure of ours, or of one found here, in the place of an end.
  public mutating func failure(_ type: String) -> [UInt8] {
    if let unended { writer = unended }
    isOver = true
    var bytes: [UInt8] = []
    writer.write(.failed(StreamFailure(type: type)), into: &bytes)
    return bytes
  }

  /// The provider's own name for the class of its error, where it reported one.
  public private(set) var failureType: String?

  private mutating func take(_ events: [StreamEvent], into bytes: inout [UInt8]) -> Step {
    for event in halves.joined(events) {
      switch event {
      case .opened, .piece, .stopped: hasContent = true
      case .usage(let figures): usage = figures
      case .failed(let failure):
        failureType = failure.type
        return over(GeminiFinish.isBroken(failure.type) ? .broken : .reported)
      case .ended:
        unended = writer
        for event in closing { writer.write(event, into: &end) }
        writer.write(event, into: &end)
        isOver = true
        return .ended
      case .began, .closed: break
      }
      if closing.isEmpty, !event.isStop {
        writer.write(event, into: &bytes)
        if writer.isFull { return over(.tooLarge) }
      } else {
        closing.append(event)
      }
    }
    return .continue
  }

  private mutating func over(_ fault: AnswerFault) -> Step {
    isOver = true
    return .fault(fault)
  }
}

extension StreamEvent {
  fileprivate var isStop: Bool { if case .stopped = self { true } else { false } }
}
