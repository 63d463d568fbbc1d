import Domain
import NIOCore
import Surface

/// What a probe asks an account.
struct ProbeQuestion: Sendable {
  var kind: Kind
  /// What the account is proved with; nil: what is in force.
  var proof: Proof?
  /// In which its provider's models answer.
  var dialect = Dialect.chat
  var limit = TokenLimit.maxTokens

  /// Another secret than the one in force.
  struct Proof: Sendable {
    var secret: UpstreamSecret
    /// It came of a sign-in, and is no API key.
    var isToken: Bool
  }

  enum Kind: Sendable, Hashable {
    /// One token of this model, named as upstream names it.
    case answer(model: String)
    /// Which models there are.
    case models
  }

  /// By which field of a chat an answer is kept short: some models of OpenAI's refuse the older one.
  enum TokenLimit: String, Sendable, Hashable {
    case maxTokens = "max_tokens"
    case maxCompletionTokens = "max_completion_tokens"
  }

  var method: HTTP1Method {
    switch kind {
    case .answer: .post
    case .models: .get
    }
  }

  /// The model in the question; empty: it is about all.
  var model: String {
    switch kind {
    case .answer(let model): model
    case .models: ""
    }
  }

  /// The body of the call; nil: none.
  var body: [UInt8]? {
    guard case .answer(let model) = kind else { return nil }
    let words: JSONValue = "Say OK."
    switch dialect {
    case .gemini:
      return JSONValue.object([
        .init("contents", [["role": "user", "parts": [["text": words]]]]),
        .init("generationConfig", ["maxOutputTokens": 1]),
      ]).bytes
    case _:
      let limit = dialect == .chat ? limit : .maxTokens
      return JSONValue.object([
        .init("model", JSONValue(model)),
        .init("messages", [["role": "user", "content": words]]),
        .init(limit.rawValue, 1),
      ]).bytes
    }
  }

  /// What is read of an answer; more of it is a fault.
  var answerBytesMax: Int {
    switch kind {
    case .answer: 64 << 10
    case .models: 4 << 20
    }
  }

  /// What a whole answer with a good status says.
  func judge(_ bytes: [UInt8]) -> ProbeVerdict {
    switch kind {
    case .answer:
      let scan = bytes.withUnsafeBytes { UsageScan.scan($0, as: dialect) }
      // As for traffic: an error beside choices is an answer all the same.
      if scan.isAnswer { return .good(nil) }
      return scan.hasError ? .fault(.errorInAnswer) : .fault(.unexpectedAnswer)
    case .models:
      do throws(ModelList.Fault) {
        return .good(try ModelList.parse(bytes, as: dialect))
      } catch {
        switch error {
        case .notAList: return .fault(.unexpectedAnswer)
        case .isError: return .fault(.errorInAnswer)
        case .isEmpty: return .fault(.emptyModelList)
        }
      }
    }
  }

  /// What to ask instead where upstream finds fault with the question; nil: nothing.
  var second: ProbeQuestion? {
    guard case .answer = kind, dialect == .chat, limit == .maxTokens else { return nil }
    var second = self
    second.limit = .maxCompletionTokens
    return second
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
