import Domain
import Surface

/// Reads the frames of `streamGenerateContent?alt=sse`, each of which is a `GenerateContentResponse`.
///
/// Nothing marks the end: older models give a reason to stop with every frame, newer ones their usage after it.
/// So the last reason counts when the stream is over; without any, it broke off.
struct GeminiStreamReader: StreamReader {
  private var id = ""
  private var hasBegun = false
  private var isOver = false
  private var count = 0
  private var calls = 0
  /// The part that pieces are added to.
  private var open: (number: Int, isThought: Bool)?
  private var usage = TokenUsage()
  private var stop: String?

  init() {}

  mutating func take(
    event: String?, data: JSONValue
  ) throws(TranslationFault) -> [StreamEvent] {
    guard !isOver else { return [] }
    let chunk = try GeminiChunk(data)
    var events: [StreamEvent] = []
    if let failure = chunk.failure {
      isOver = true
      if hasBegun { note(chunk.usage, &events) }
      events.append(.failed(failure))
      return events
    }
    if !hasBegun {
      hasBegun = true
      id = chunk.id
      events.append(.began(id: id, model: chunk.model, created: nil))
    }
    for part in chunk.parts { take(part, &events) }
    if let reason = chunk.stop { stop = reason }
    note(chunk.usage, &events)
    return events
  }

  mutating func finish() -> [StreamEvent] {
    guard !isOver, let stop else { return [] }
    isOver = true
    var events: [StreamEvent] = []
    close(&events)
    events.append(.stopped(GeminiFinish.stop(stop, hasCalls: calls > 0)))
    events.append(.ended)
    return events
  }

  /// Tells the usage where it is news.
  private mutating func note(_ figures: TokenUsage, _ events: inout [StreamEvent]) {
    let known = figures.filled(from: usage)
    guard known != usage else { return }
    usage = known
    events.append(.usage(known))
  }

  private mutating func take(_ part: GeminiChunk.Part, _ events: inout [StreamEvent]) {
    switch part {
    case .text("", nil, isThought: _): break
    case .text(let text, let signature, let isThought):
      let number = self.part(isThought: isThought, &events)
      if !text.isEmpty { events.append(.piece(number, .text(text))) }
      if let signature {
        // It ends Google's part; what follows is another.
        events.append(.piece(number, .signature(signature)))
        close(&events)
      }
    case .call(let id, let name, let arguments, let signature):
      close(&events)
      calls += 1
      let id = id ?? geminiCallID(answer: self.id, number: calls)
      events.append(.opened(count, .toolCall(id: id, name: name, signature: signature)))
      events.append(.piece(count, .arguments(arguments)))
      events.append(.closed(count))
      count += 1
    }
  }

  /// The open part if it is of this kind, else a new one.
  private mutating func part(isThought: Bool, _ events: inout [StreamEvent]) -> Int {
    if let open, open.isThought == isThought { return open.number }
    close(&events)
    let number = count
    count += 1
    open = (number, isThought)
    events.append(.opened(number, isThought ? .thinking : .text))
    return number
  }

  private mutating func close(_ events: inout [StreamEvent]) {
    guard let number = open?.number else { return }
    open = nil
    events.append(.closed(number))
  }
}
