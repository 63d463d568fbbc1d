import Domain
import NIOCore
import Surface

/// What a probe asks an account.
enum ProbeQuestion: Sendable, Hashable {
  /// One token of this model, named as upstream names it.
  case chat(model: String, limit: TokenLimit = .maxTokens)
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
    case .chat(let model, let limit):
      JSONValue.object([
        .init("model", JSONValue(model)),
        .init("messages", [["role": "user", "content": "Say OK."]]),
        .init(limit.rawValue, 1),
      ]).bytes
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
      if scan.isAnswer { return .good(nil) }
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

extension ProbeQuestion {
  /// By which field an answer is kept short: some models of OpenAI's refuse the older one.
  enum TokenLimit: String, Sendable, Hashable {
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
  }

  /// What to ask instead where upstream finds fault with the question; nil: nothing.
  var second: ProbeQuestion? {
    guard case .chat(let model, .maxTokens) = self else { return nil }
    return .chat(model: model, limit: .maxCompletionTokens)
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
