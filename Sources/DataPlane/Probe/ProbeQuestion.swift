import Domain
import NIOCore
import Surface

/// What a probe asks an account.
enum ProbeQuestion: Sendable, Hashable {
  /// One token of this model, named as upstream names it.
  case chat(model: String)
  /// Which models there are.
  case models

  var method: HTTP1Method {
    switch self {
    case .chat: .post
    case .models: .get
    }
  }

  /// The body of the call; nil: none.
  var body: [UInt8]? {
    switch self {
    case .models: nil
    case .chat(let model):
      ([
        "model": JSONValue(model),
        "messages": [["role": "user", "content": "Say OK."]],
        "max_tokens": 1,
      ] as JSONValue).bytes
    }
  }

  /// What is read of an answer; more of it is a fault.
  var answerBytesMax: Int {
    switch self {
    case .chat: 64 << 10
    case .models: 4 << 20
    }
  }

  /// What a whole answer with a good status says.
  func judge(_ bytes: [UInt8]) -> ProbeVerdict {
    switch self {
    case .chat:
      let scan = bytes.withUnsafeBytes { UsageScan.scan($0) }
      // As for traffic: an error beside choices is an answer all the same.
      if scan.hasChoices { return .good(nil) }
      return scan.hasError ? .fault(.errorInAnswer) : .fault(.unexpectedAnswer)
    case .models:
      do throws(ModelList.Fault) {
        return .good(try ModelList.parse(bytes))
      } catch {
        switch error {
        case .notAList: return .fault(.unexpectedAnswer)
        case .isError: return .fault(.errorInAnswer)
        case .isEmpty: return .fault(.emptyModelList)
        }
      }
    }
  }
}

/// What follows from an answer to a probe.
enum ProbeVerdict: Sendable, Hashable {
  /// As the protocol says; the list if that was asked for.
  case good(ModelList?)
  case fault(ProbeFault)
}

/// What only a probe minds, beyond statuses and failures of the call.
enum ProbeFault: String, Sendable, Hashable {
  case errorInAnswer = "error_in_answer"
  /// The status is good and the body something else than was asked for.
  case unexpectedAnswer = "unexpected_answer"
  case emptyModelList = "empty_model_list"
  case answerTooLarge = "answer_too_large"
  case unknownAccount = "unknown_account"
  case overloaded
  case shuttingDown = "shutting_down"

  var errorClass: ErrorClass {
    switch self {
    case .errorInAnswer, .unexpectedAnswer, .emptyModelList, .answerTooLarge: .provider
    case .unknownAccount, .overloaded, .shuttingDown: .gateway
    }
  }
}
