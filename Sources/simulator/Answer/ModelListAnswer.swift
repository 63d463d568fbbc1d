import NIOCore
import NIOHTTP1

/// Makes the steps of the answer to `GET /v1/models`; faults that are about streams bend it in their own way.
struct ModelListAnswer {
  /// One JSON object a model.
  let rows: [String]
  let act: Act
  /// Unix time in nanoseconds.
  let now: Int64

  func steps() -> [Step] {
    var steps: [Step] = []
    if act.headLatency > 0 { steps.append(.wait(.nanoseconds(act.headLatency))) }
    switch act.trouble {
    case .none: return steps + whole(rows)
    case .refusal(let refusal):
      return steps + RefusalAnswer(refusal: refusal, ordinal: 0, now: now).steps()
    case .fault(let fault, _, let error):
      switch fault {
      case .resetBeforeHead: return steps + [.reset]
      case .closeBeforeHead: return steps + [.close]
      case .neverAnswer: return steps + [.silence]
      case .resetMidStream: return steps + half() + [.reset]
      case .closeMidStream: return steps + half() + [.close]
      case .stallMidStream: return steps + half() + [.silence]
      case .errorInStream, .errorIn200:
        return steps + RefusalAnswer(refusal: error, ordinal: 0, now: now).steps(status: 200)
      case .emptyStream: return steps + whole([])
      }
    }
  }

  private func whole(_ rows: [String]) -> [Step] {
    let list = rows.joined(separator: ",")
    return JSONResponse(status: .ok, text: #"{"object":"list","data":[\#(list)]}"#).steps()
  }

  /// The head and half of the body.
  private func half() -> [Step] {
    whole(rows).dropLast().map { step in
      guard case .body(let bytes) = step else { return step }
      return .body(bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes / 2) ?? bytes)
    }
  }
}
