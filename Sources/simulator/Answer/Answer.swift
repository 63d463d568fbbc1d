import NIOCore
import NIOHTTP1

/// Makes the steps of a response from a request and an act: pure, and the same for the same input.
struct Answer {
  let request: ChatRequest
  let act: Act
  /// Of this request among all; only its `x-request-id` shows it.
  let ordinal: UInt64
  /// Unix time in nanoseconds; only the resets of an error show it.
  let now: Int64
  let allocator: ByteBufferAllocator

  /// From the request's last byte to the response's.
  func steps() -> [Step] {
    var steps: [Step] = []
    if act.headLatency > 0 { steps.append(.wait(.nanoseconds(act.headLatency))) }
    switch act.trouble {
    case .refusal(let refusal): return steps + answer(refusal).steps()
    case .fault(.resetBeforeHead, _, _): return steps + [.reset]
    case .fault(.closeBeforeHead, _, _): return steps + [.close]
    case .fault(.neverAnswer, _, _): return steps + [.silence]
    case .fault(.errorIn200, _, let error)
    where !request.isStream || !error.shape.isJSON:
      return steps + answer(error).steps(status: 200)
    case .none, .fault: break
    }
    if act.rejectsStreamOptions, request.hasStreamOptions {
      let error = OpenAIError(
        status: 400, message: "Unrecognized request argument supplied: stream_options",
        type: "invalid_request_error")
      return steps + error.steps(ordinal: ordinal)
    }
    return steps + (request.isStream ? stream() : whole())
  }

  private func answer(_ refusal: Refusal) -> RefusalAnswer {
    RefusalAnswer(refusal: refusal, ordinal: ordinal, now: now)
  }

  // MARK: - A whole answer

  private func whole() -> [Step] {
    var body = allocator.buffer(capacity: 768 + act.bodyBytes)
    body.writeStaticString(#"{"id":"chatcmpl-"#)
    body.writeString(id)
    body.writeStaticString(#"","object":"chat.completion","created":1763640000,"model":"#)
    body.writeBytes(request.modelToken)
    body.writeStaticString(
      #","system_fingerprint":"fp_simulator","choices":[{"index":0,"message":{"role":"assistant","content":""#
    )
    for index in 0..<contentChunks { writeWord(index, &body) }
    body.writeRepeatingByte(UInt8(ascii: "x"), count: act.bodyBytes)
    body.writeStaticString(
      #"","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":""#)
    body.writeString(finishReason)
    body.writeStaticString(#""}]"#)
    if act.usage != .none {
      body.writeStaticString(#","usage":"#)
      writeUsage(prompt: true, completion: completionTokens, &body)
    }
    body.writeStaticString("}")

    var claimed = body.readableBytes
    switch act.contentLength {
    case .exact: break
    case .short: claimed -= 10
    case .long: claimed += 10
    }
    var head = HTTPResponseHead(
      version: .http1_1, status: .ok, headers: headers("application/json"))
    head.headers.add(name: "content-length", value: String(claimed))
    if let cutoff, cutoff.fault != .errorInStream {
      let half = body.getSlice(at: body.readerIndex, length: body.readableBytes / 2) ?? body
      return [.head(head)] + cut(half) + [cutoff.last]
    }
    return [.head(head)] + cut(body) + [act.contentLength == .exact ? .end : .close]
  }

  // MARK: - A stream

  private func stream() -> [Step] {
    var head = HTTPResponseHead(
      version: .http1_1, status: .ok, headers: headers("text/event-stream; charset=utf-8"))
    head.headers.add(name: "cache-control", value: "no-cache")
    switch act.trouble {
    case .fault(.emptyStream, _, _): return [.head(head), .end]
    case .fault(.errorIn200, _, let error): return [.head(head)] + cut(errorFrame(error)) + [.end]
    default: break
    }

    let shown = min(contentChunks, cutoff?.chunk ?? .max)
    var frames = [
      choiceFrame(
        delta: #"{"role":"assistant","content":"","refusal":null}"#, end: frameEnd(role: true))
    ]
    frames.reserveCapacity(shown + 2)
    for index in 0..<shown { frames.append(contentFrame(index)) }
    switch cutoff?.fault {
    case nil: frames.append(lastFrames())
    case .errorInStream?: frames.append(errorFrame(cutoff?.error ?? Refusal()))
    case .some: break
    }
    return [.head(head)] + paced(frames) + [cutoff?.last ?? .end]
  }

  /// Each frame at its time, or all of them in one write if no pace is set.
  private func paced(_ frames: [ByteBuffer]) -> [Step] {
    if act.chunkPace > 0 {
      return frames.enumerated().flatMap { index, frame in
        index == 0 ? cut(frame) : [.wait(.nanoseconds(act.chunkPace))] + cut(frame)
      }
    }
    var all = allocator.buffer(capacity: frames.reduce(0) { $0 + $1.readableBytes })
    for frame in frames { all.writeImmutableBuffer(frame) }
    return cut(all)
  }

  /// After how many content chunks a fault strikes, and what the connection does then.
  private var cutoff: (fault: Fault, chunk: Int, error: Refusal, last: Step)? {
    guard case .fault(let fault, let chunk, let error) = act.trouble else { return nil }
    switch fault {
    case .resetMidStream: return (fault, chunk, error, .reset)
    case .closeMidStream: return (fault, chunk, error, .close)
    case .stallMidStream: return (fault, chunk, error, .silence)
    case .errorInStream: return (fault, chunk, error, .end)
    case .resetBeforeHead, .closeBeforeHead, .neverAnswer, .emptyStream, .errorIn200: return nil
    }
  }

  private func contentFrame(_ index: Int) -> ByteBuffer {
    var frame = frameStart(capacity: 288 + (index == 0 ? act.bodyBytes : 0))
    frame.writeStaticString(#","choices":[{"index":0,"delta":{"content":""#)
    writeWord(index, &frame)
    if index == 0 { frame.writeRepeatingByte(UInt8(ascii: "x"), count: act.bodyBytes) }
    frame.writeStaticString(#""},"logprobs":null,"finish_reason":null}]"#)
    write(frameEnd(chunk: index), &frame)
    return frame
  }

  private func choiceFrame(
    delta: StaticString, finish: String = "null", end: FrameEnd
  ) -> ByteBuffer {
    var frame = frameStart(capacity: 288)
    frame.writeStaticString(#","choices":[{"index":0,"delta":"#)
    frame.writeStaticString(delta)
    frame.writeStaticString(#","logprobs":null,"finish_reason":"#)
    frame.writeString(finish)
    frame.writeStaticString("}]")
    write(end, &frame)
    return frame
  }

  /// The finish reason, the usage if it was asked for, and `[DONE]`.
  private func lastFrames() -> ByteBuffer {
    var frames = choiceFrame(
      delta: "{}", finish: "\"\(finishReason)\"", end: frameEnd(finish: true))
    if hasUsageChunk {
      frames.writeImmutableBuffer(frameStart(capacity: 288))
      frames.writeStaticString(#","choices":[]"#)
      write(.usage(prompt: act.usage != .split, completion: completionTokens), &frames)
    }
    if act.sendsDone { frames.writeStaticString("data: [DONE]\n\n") }
    return frames
  }

  private func errorFrame(_ error: Refusal) -> ByteBuffer {
    ByteBuffer(string: "data: \(answer(error).body)\n\n")
  }

  private func frameStart(capacity: Int) -> ByteBuffer {
    var frame = allocator.buffer(capacity: capacity)
    frame.writeStaticString(#"data: {"id":"chatcmpl-"#)
    frame.writeString(id)
    frame.writeStaticString(#"","object":"chat.completion.chunk","created":1763640000,"model":"#)
    frame.writeBytes(request.modelToken)
    frame.writeStaticString(#","system_fingerprint":"fp_simulator""#)
    return frame
  }

  /// What a chunk says of the usage; nil as `completion` leaves the completion's tokens out.
  private enum FrameEnd {
    case nothing, null
    case usage(prompt: Bool, completion: Int?)
  }

  private func frameEnd(
    role: Bool = false, chunk: Int = 0, finish: Bool = false
  ) -> FrameEnd {
    switch act.usage {
    case .running:
      let shown = role ? 0 : min(chunk + 1, completionTokens)
      return .usage(prompt: true, completion: finish ? completionTokens : shown)
    case .split where role: return .usage(prompt: true, completion: nil)
    case .withFinish where finish: return .usage(prompt: true, completion: completionTokens)
    case .last, .none, .unasked, .split, .withFinish, .inputOutput:
      return request.includesUsage ? .null : .nothing
    }
  }

  private var hasUsageChunk: Bool {
    switch act.usage {
    case .last, .inputOutput: request.includesUsage
    case .unasked, .split: true
    case .none, .running, .withFinish: false
    }
  }

  private func write(_ end: FrameEnd, _ buffer: inout ByteBuffer) {
    switch end {
    case .nothing: break
    case .null: buffer.writeStaticString(",\"usage\":null")
    case .usage(let prompt, let completion):
      buffer.writeStaticString(",\"usage\":")
      writeUsage(prompt: prompt, completion: completion, &buffer)
    }
    buffer.writeStaticString("}\n\n")
  }

  // MARK: - Parts

  private var contentChunks: Int {
    min(act.chunks, request.maximumTokens ?? .max)
  }

  private var finishReason: String {
    contentChunks < act.chunks ? "length" : "stop"
  }

  /// From what the answer depends on, so that the same request gets the same bytes.
  private var id: String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in request.modelToken { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ UInt64(request.promptWords)) &* 0x100_0000_01b3
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }

  private func writeWord(_ index: Int, _ buffer: inout ByteBuffer) {
    let words = Answer.words
    buffer.writeStaticString(words[(request.promptWords + index) % words.count])
  }

  private var completionTokens: Int { act.completionTokens ?? contentChunks }

  /// Without the part that is nil or false, and then without a sum.
  private func writeUsage(prompt hasPrompt: Bool, completion: Int?, _ buffer: inout ByteBuffer) {
    let prompt = act.promptTokens ?? request.promptWords
    let isRenamed = act.usage == .inputOutput
    let input = isRenamed ? "input" : "prompt"
    let output = isRenamed ? "output" : "completion"
    buffer.writeStaticString("{")
    if hasPrompt {
      buffer.writeString(
        """
        "\(input)_tokens":\(prompt),\
        "\(input)_tokens_details":{"cached_tokens":\(act.cachedTokens),"audio_tokens":0}
        """)
      if let completion { buffer.writeString(",\"total_tokens\":\(prompt + completion),") }
    }
    if let completion {
      buffer.writeString(
        """
        "\(output)_tokens":\(completion),\
        "\(output)_tokens_details":{"reasoning_tokens":\(act.reasoningTokens),"audio_tokens":0,\
        "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}
        """)
    }
    buffer.writeStaticString("}")
  }

  private func headers(_ contentType: String) -> HTTPHeaders {
    [
      "content-type": contentType,
      "x-request-id": "req_simulator_\(ordinal)",
      "openai-version": "2020-10-01",
      "openai-processing-ms": "1",
    ]
  }

  /// The body as it is written: whole, or in pieces that respect no frame.
  private func cut(_ body: ByteBuffer) -> [Step] {
    guard act.splitBytes > 0 else { return body.readableBytes > 0 ? [.body(body)] : [] }
    var rest = body
    var steps: [Step] = []
    steps.reserveCapacity(2 * (body.readableBytes / act.splitBytes + 1))
    while let piece = rest.readSlice(length: min(act.splitBytes, rest.readableBytes)),
      piece.readableBytes > 0
    {
      steps.append(.body(piece))
      if act.splitPace > 0 { steps.append(.wait(.nanoseconds(act.splitPace))) }
    }
    return steps
  }

  /// What answers are made of: words of a railway, each with its blank.
  private static let words: [StaticString] = [
    "signal ", "box ", "lever ", "frame ", "block ", "bell ", "train ", "register ", "points ",
    "route ", "section ", "clear ", "line ", "token ", "staff ", "junction ", "platform ", "home ",
    "distant ", "starter ", "siding ", "ballast ", "sleeper ", "switch ", "crossing ", "guard ",
    "lamp ", "semaphore ", "interlocking ", "track ", "circuit ", "relay ",
  ]
}
