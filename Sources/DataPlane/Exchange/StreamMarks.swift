import Domain
import Surface

/// What a frame means for the relay that forwards it.
enum FrameFate {
  case forward
  /// The client did not ask for it.
  case drop
  /// It may be the last: it stays back until another one follows.
  case hold
  case error
  /// It ends the stream.
  case done
}

/// What the frames of a stream have said so far.
struct StreamSight {
  /// The last figures seen, and earlier ones where the last say nothing; as the provider counts.
  var usage: TokenUsage?
  /// A frame brought something of an answer.
  var hasContent = false
  /// The provider said why it stopped.
  var hasFinish = false
  /// Responses: the number that the next event will have.
  var sequence: UInt64?
  /// Responses: what has begun.
  var response: BegunResponse?
  /// Responses: the ids of what the account stores.
  var stored: [String] = []

  mutating func take(_ found: TokenUsage?) {
    if let found { usage = found.filled(from: usage ?? .notReported) }
  }
}

/// How the frames of one dialect are read; pure, and no more is looked at than the relay must know.
protocol StreamMarks {
  /// `mayDrop`: a frame that only carries usage may be left out.
  static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate
}

/// OpenAI's chat and completions: `[DONE]` ends the stream, `choices` are its content.
enum ChatMarks: StreamMarks {
  @inline(__always)
  static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate {
    guard let data = frame.data else { return .forward }
    let fate = fate(data, isDone: frame.isDone, mayDrop: mayDrop, &sight)
    if !sight.hasFinish { sight.hasFinish = UsageScan.mayHoldFinishReason(data) }
    if !sight.hasContent, fate == .forward { sight.hasContent = UsageScan.mayHoldChoice(data) }
    return fate
  }

  @inline(__always)
  private static func fate(
    _ data: UnsafeRawBufferPointer, isDone: Bool, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate {
    if isDone { return .done }
    guard UsageScan.mayHoldUsage(data) || UsageScan.mayHoldError(data) else { return .forward }
    let scan = UsageScan.scan(data)
    sight.take(scan.usage)
    if scan.hasError { return .error }
    return mayDrop && scan.choicesAreEmpty && scan.usage != nil ? .drop : .forward
  }
}

/// Anthropic's Messages: named events from `message_start` to `message_stop`.
enum MessagesMarks: StreamMarks {
  static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate {
    guard let data = frame.data else { return .forward }
    guard let name = frame.event ?? UsageScan.type(in: data) else { return nameless(data) }
    if name.isText("content_block_delta") || name.isText("content_block_start") {
      sight.hasContent = true
    } else if name.isText("message_start") {
      sight.take(UsageScan.scan(data, as: .messages).usage)
    } else if name.isText("message_delta") {
      sight.take(UsageScan.scan(data, as: .messages).usage)
      if UsageScan.mayHoldStopReason(data) {
        // A message of no content at all is an answer too: the model had nothing to say.
        (sight.hasFinish, sight.hasContent) = (true, true)
      }
    } else if name.isText("message_stop") {
      return .done
    } else if name.isText("error") {
      return .error
    }
    return .forward
  }
}

/// OpenAI's Responses: typed events from `response.created` to one that says how it ended.
enum ResponsesMarks: StreamMarks {
  static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate {
    guard let data = frame.data else { return .forward }
    guard let name = frame.event ?? UsageScan.type(in: data) else { return nameless(data) }
    let fate = fate(name, data, &sight)
    // What is written in the place of an error, or of the end, takes its number.
    let step: UInt64 = fate == .forward ? 1 : 0
    sight.sequence = (sight.sequence ?? UsageScan.sequenceNumber(in: data)).map { $0 &+ step }
    return fate
  }

  private static func fate(
    _ name: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, _ sight: inout StreamSight
  ) -> FrameFate {
    if name.isText("response.output_text.delta") {
      sight.hasContent = true
      return .forward
    }
    if name.isText("response.created") {
      sight.response = BegunResponse(data)
      sight.stored = (sight.response?.id).map { [$0] } ?? []
      return .forward
    }
    if name.isText("response.in_progress") || name.isText("response.queued")
      || name.isText("keepalive")
    {
      return .forward
    }
    if name.isText("error") || name.isText("response.failed") {
      sight.take(UsageScan.scan(data, as: .responses).usage)
      return .error
    }
    let isIncomplete = name.isText("response.incomplete")
    if isIncomplete || name.isText("response.completed") || name.isText("response.cancelled") {
      let scan = UsageScan.scan(data, as: .responses)
      sight.take(scan.usage)
      sight.stored = StoredIDs.ids(in: data)
      // Cut short before anything came is an answer; complete without anything is none.
      if isIncomplete || scan.isAnswer { sight.hasContent = true }
      sight.hasFinish = true
      return .done
    }
    sight.hasContent = true
    return .forward
  }
}

/// Gemini: frames without names; the stream's end is its last frame's.
enum GeminiMarks: StreamMarks {
  static func judge(
    _ frame: borrowing SSEFrame, mayDrop: Bool, _ sight: inout StreamSight
  ) -> FrameFate {
    guard let data = frame.data else { return sight.hasFinish ? .hold : .forward }
    if JSONArrayFramer.isEnd(frame) {
      return .done
    }
    if UsageScan.mayHoldGeminiUsage(data) || UsageScan.mayHoldError(data) {
      let scan = UsageScan.scan(data, as: .gemini)
      sight.take(scan.usage)
      if scan.hasError { return .error }
    }
    if !sight.hasContent { sight.hasContent = UsageScan.mayHoldCandidate(data) }
    // A prompt that is refused has no candidate, and so no reason of one.
    if !sight.hasFinish {
      sight.hasFinish =
        UsageScan.mayHoldGeminiFinish(data) || UsageScan.mayHoldBlockReason(data)
    }
    // Older models name a reason in every frame: only the end of the stream tells which one is the last.
    return sight.hasFinish ? .hold : .forward
  }
}

/// A frame without a name in a protocol that names them: a proxy's error, or nothing that is known.
private func nameless(_ data: UnsafeRawBufferPointer) -> FrameFate {
  UsageScan.mayHoldError(data) && UsageScan.scan(data).hasError ? .error : .forward
}

extension UnsafeRawBufferPointer {
  /// Whether these are the bytes of `text`.
  @inline(__always)
  fileprivate func isText(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    for index in 0..<count where self[index] != text.utf8Start[index] { return false }
    return true
  }
}
