extension ErrorCode {
  /// What the catalogue says of one code.
  public struct Row: Sendable, Hashable {
    /// The HTTP status.
    public var status: Int
    /// The `type` of OpenAI's error object.
    public var openAIType: String
    /// What happened: one sentence, the default `message`.
    public var summary: String
    /// What to do about it.
    public var remedy: String
    /// Whether the same request may succeed soon: the value of `x-should-retry`.
    public var isRetryable: Bool
  }

  /// The HTTP status.
  public var status: Int { row.status }
  /// The `type` of OpenAI's error object.
  public var openAIType: String { row.openAIType }
  /// What happened, one sentence: the default `message`.
  public var summary: String { row.summary }
  /// What to do about it, one sentence.
  public var remedy: String { row.remedy }
  /// Whether the same request may succeed soon: the value of `x-should-retry`.
  public var isRetryable: Bool { row.isRetryable }

  /// The code's row of the catalogue.
  public var row: Row {
    switch self {
    case .missingAPIKey:
      .request(
        401, "No API key was given.",
        "Send the key as `Authorization: Bearer <key>` or `x-api-key: <key>`.")
    case .invalidAPIKey:
      .request(401, "The API key is not known here.", "Check the key, or ask for a new one.")
    case .keyPaused:
      .request(401, "The API key is paused.", "Have an administrator resume the key.")
    case .keyRevoked:
      .request(
        401, "The API key has been revoked.", "Use another key; a revoked one never returns.")
    case .keyExpired:
      .request(401, "The API key has expired.", "Use another key, or have its expiry changed.")
    case .malformedRequest:
      .request(
        400, "The request breaks the rules of HTTP.",
        "Check the request line, path escapes and header fields.")
    case .invalidJSON:
      .request(400, "The body is not valid JSON.", "Correct the body at the place named.")
    case .duplicateField:
      .request(400, "A field stands in the body twice.", "Send each field once.")
    case .missingField:
      .request(400, "A required field is missing.", "Add the field named.")
    case .invalidField:
      .request(
        400, "A field has the wrong type or a value out of bounds.", "Correct the field named.")
    case .unknownField:
      .request(400, "The body has a field that means nothing here.", "Remove or rename it.")
    case .unsupportedParameter:
      .request(400, "A parameter is not supported.", "Leave the parameter out.")
    case .notCarried:
      .request(
        400, "The model's provider speaks another protocol, which has no place for a field.",
        "Leave the field named out, or choose a model whose provider speaks this protocol.")
    case .stateNotCarried:
      .request(
        400, "A field names what is stored at a provider of another protocol.",
        "Send the contents instead, or choose a model of the provider that holds them.")
    case .threadUnsupported:
      .request(
        400, "A `thread` is kept at Anthropic, and the model's provider speaks another protocol.",
        "Send the whole conversation without `thread`, as Anthropic's SDKs do by themselves.")
    case .contextLengthExceeded:
      .request(
        400, "The prompt is too long for the model.",
        "Send less, or choose a model with a larger context.")
    case .unsupportedMediaType:
      .request(
        415, "The body's media type is not supported.",
        "Send `content-type: application/json`, without a content encoding.")
    case .bodyTooLarge:
      .request(
        413, "The body is larger than the limit.",
        "Send less, or have `maxBodyBytes` raised in the settings.")
    case .headTooLarge:
      .request(
        431, "The request's head is larger than the limit.", "Send fewer or shorter headers.")
    case .methodNotAllowed:
      .request(405, "The path does not answer this method.", "Use a method named in `Allow`.")
    case .notFound:
      .request(404, "There is nothing here.", "Check the path and the id.")
    case .requestTimeout:
      .request(
        408, "The request did not arrive in time.", "Send it again over a faster connection.",
        isRetryable: true)
    case .modelNotFound:
      .request(
        404, "No provider offers this model.", "Choose one of `GET /v1/models`.")
    case .modelNotAllowed:
      Row(
        status: 403, openAIType: "permission_error",
        summary: "The key may not ask for this model.",
        remedy: "Choose one of `GET /v1/models`, or have the key's allowed models changed.",
        isRetryable: false)
    case .noAccountAvailable:
      .server(
        503, "No account can take the request now.",
        "Try later; an administrator can see in the audit which account failed and why.",
        isRetryable: true)
    case .unsupportedOperation:
      .request(
        400, "No provider of this model has anything that corresponds to this endpoint.",
        "Ask by another endpoint, or for a model of a provider that speaks its protocol.")
    case .stateBound:
      Row(
        status: 409, openAIType: "conflict_error",
        summary: "What the request refers to is stored at an account that cannot serve it now.",
        remedy:
          "Wait for the seconds in `Retry-After` if there are any, or send the whole context.",
        isRetryable: false)
    case .rateLimitExceeded:
      Row(
        status: 429, openAIType: "rate_limit_error",
        summary: "The limits of the key or its organisation let nothing more in at present.",
        remedy: "Wait for the seconds in `Retry-After`; `limit_context` names the limit.",
        isRetryable: true)
    case .budgetReserved:
      Row(
        status: 429, openAIType: "rate_limit_error",
        summary: "What is left of the budget is set aside for requests under way.",
        remedy: "Try again when some of them have ended; `limit_context` names the budget.",
        isRetryable: true)
    case .budgetExceeded:
      .spent(
        "The request may cost more than is left of the budget.",
        "Wait until `resets_at`, ask for fewer tokens, or have the budget raised.")
    case .quotaExceeded:
      .spent(
        "The request may take more tokens than are left of the budget.",
        "Wait until `resets_at`, ask for fewer tokens, or have the budget raised.")
    case .requestInProgress:
      Row(
        status: 409, openAIType: "conflict_error",
        summary: "A request with the same `Idempotency-Key` is still under way.",
        remedy: "Wait for the seconds in `Retry-After`, then ask again.", isRetryable: true)
    case .duplicateRequest:
      .conflict(
        "A request with the same `Idempotency-Key` has ended; it is not made again.",
        "See how it ended in the audit of the request named; use a new key for a new request.")
    case .idempotencyKeyReused:
      Row(
        status: 422, openAIType: "invalid_request_error",
        summary: "The `Idempotency-Key` belongs to another request of the last 24 hours.",
        remedy: "Use a new key for each request, and the same one only to repeat it.",
        isRetryable: false)
    case .rateLimited:
      Row(
        status: 429, openAIType: "rate_limit_error",
        summary: "The provider limits every account that could answer.",
        remedy: "Wait for the seconds in `Retry-After`, then try again.", isRetryable: true)
    case .upstreamError:
      .server(
        502, "The provider answered with an error.",
        "Try again; the audit of the request shows each attempt.", isRetryable: true)
    case .upstreamUnreachable:
      .server(
        502, "The provider could not be reached.",
        "Try again; if it stays, check the provider's base URL and network.", isRetryable: true)
    case .upstreamTimeout:
      .server(
        504, "The provider did not answer in time.", "Try again, or ask for less.",
        isRetryable: true)
    case .upstreamCut:
      .server(
        502, "The provider broke off in the middle of the answer.", "Try again.",
        isRetryable: true)
    case .upstreamProtocol:
      .server(
        502, "The provider's answer breaks its protocol.",
        "Check that the provider's base URL and protocol belong together.", isRetryable: false)
    case .answerNotCarried:
      .request(
        400, "The model answered with something that this endpoint's protocol has no place for.",
        "Ask for text alone, or by the endpoint of the provider's own protocol; the answer was paid for."
      )
    case .answerTooLarge:
      .server(
        502, "The provider's answer is larger than the gateway reads.",
        "Ask for less in one answer; docs/translation.md has the bounds.",
        isRetryable: false)
    case .recordingUnavailable:
      .server(
        503, "The request cannot be recorded, so it is not served.",
        "Try later; an administrator must look at the disk of the log.", isRetryable: true)
    case .shuttingDown:
      .server(503, "The gateway is shutting down.", "Try again at once.", isRetryable: true)
    case .overloaded:
      .server(503, "The gateway has too much to do.", "Try again later.", isRetryable: true)
    case .internalError:
      .server(
        500, "The gateway failed.", "Report the request id; the log of the gateway says more.",
        isRetryable: false)
    case .logUnreadable:
      .server(
        500, "A part of the log that the answer needs cannot be read.",
        "Run `replay verify` on the gateway's machine: it names what is damaged.",
        isRetryable: false)
    case .unauthorized:
      .request(
        401, "An administrator's credential is needed.",
        "Sign in at `POST /api/auth/login`, or send `Authorization: Bearer <admin token>`.")
    case .invalidPassword:
      .request(
        401, "The password is wrong.",
        "Check it; `signalbox admin reset-password` sets a new one on the gateway's machine.")
    case .invalidConfiguration:
      .request(
        400, "The configuration file cannot be taken; nothing of it was applied.",
        "Correct the field named, on the line named.")
    case .weakPassword:
      .request(
        400, "The new password is too easy to guess.", "Choose at least 12 characters by chance.")
    case .sampleKey:
      .request(
        400, "The key is one of those that manuals use.", "Put the real key in its place.")
    case .tooManyAttempts:
      Row(
        status: 429, openAIType: "rate_limit_error",
        summary:
          "Too many wrong passwords, or messages of nodes that did not open; right ones are not looked at either.",
        remedy: "Wait for the seconds in `Retry-After`.", isRetryable: true)
    case .forbiddenHost:
      Row(
        status: 403, openAIType: "permission_error",
        summary: "The host name of the request is not one of this gateway's.",
        remedy: "Use a name on the gateway's list of hosts, or add this one to it.",
        isRetryable: false)
    case .revisionMismatch:
      .request(
        412, "The resource has changed since the revision in `If-Match`.",
        "Read it again and repeat the change on its current revision.")
    case .writeConflict:
      Row(
        status: 409, openAIType: "conflict_error",
        summary: "Others kept changing the resource while this change was made.",
        remedy: "Try again.", isRetryable: true)
    case .nameCollision:
      .conflict("The name already means something else.", "Choose another name.")
    case .alreadyExists:
      .conflict("A resource with this id already exists.", "Change it, or choose another id.")
    case .keyExists:
      .conflict("The same key is already in use under another id.", "Create a different key.")
    case .notActive:
      .conflict(
        "The resource is not in a state that allows this.", "Read it to see the state it is in.")
    case .providerInUse:
      .conflict("The provider still has accounts.", "Remove its accounts first.")
    case .organisationInUse:
      .conflict(
        "The organisation is still needed.", "Revoke its keys and remove its policies first.")
    case .notRefreshable:
      .conflict(
        "The credential cannot be refreshed, or not now.",
        "Read the account's credential to see why; issue a new one, sign in again, or release it.")
    case .notHome:
      .conflict(
        "Another node refreshes the credential, and it alone gives that away.",
        "Move it at that node, then sync; if the node is gone for good, send `force`.")
    case .tokenGivenUp:
      .conflict(
        "The provider gave a newer refresh token for this one already, or refused it.",
        "To replace the account's credential, sign in anew and bring what that gives; else leave it as it is."
      )
    case .refreshInProgress:
      .conflict("The credential is being refreshed.", "Try again in a moment.")
    case .refreshWaits:
      Row(
        status: 409, openAIType: "conflict_error",
        summary: "The provider wants a pause between refreshes of one client's accounts.",
        remedy: "Wait until `until`: it is refreshed by itself then.", isRetryable: true)
    case .signInState:
      .request(
        400, "The sign-in is not known, was ended already, or is another's.",
        "Begin it anew, and end it once, within its time, in the session that began it.")
    case .signInUnavailable:
      .conflict(
        "The provider offers no such way to sign in.",
        "See `GET /api/oauth` for the ways; set the provider's `oauth` where it needs one.")
    case .signInRefused:
      .request(
        400, "The provider refused the sign-in.", "See `reason`; begin it anew.")
    case .signInFailed:
      .server(
        502, "The provider did not answer as it should, so that nobody was signed in.",
        "See `reason`; begin the sign-in anew: its code may be used up.", isRetryable: false)
    case .signedInAsAnother:
      .conflict(
        "The sign-in is of another person or workspace than the account.",
        "Sign in as the one it belongs to, or leave `account` out for one of its own.")
    case .syncNotConfigured:
      .conflict(
        "It is not set with whom to sync.",
        "Set `cloudUrl` and `cloudToken` in the settings; see docs/sync.md.")
    case .syncFailed:
      .server(
        502, "The exchange with the other side came to nothing.",
        "See `reason`, which docs/sync.md explains; it is tried again by itself where sync is enabled.",
        isRetryable: true)
    case .syncUnauthorized:
      .request(
        401, "The sync token is not accepted here, or the message was not made with it.",
        "Have a new token issued there, and set it as `cloudToken` here.")
    case .syncChallengeOver:
      .conflict(
        "The message was not made for a number that is open: it was answered already, or took too long.",
        "Ask for a new number with `POST /api/sync/exchange/hello`.")
    case .syncRefused:
      .conflict(
        "What the other node told was not taken in.", "See `reason`, which docs/sync.md explains.")
    case .syncPeerInUse:
      .conflict(
        "This node exchanges with the peer by itself.",
        "End that first: `POST /api/sync/cloud` with `disable`.")
    case .unknownTarget:
      .request(
        400, "The name points to nothing that is known.",
        "Choose a known `provider/model`, or allow an unresolved target explicitly.")
    case .ambiguousTarget:
      .request(
        400, "The name points to one that several providers offer.",
        "Write the target as `prefix/model`.")
    case .aliasOfAlias:
      .request(400, "An alias or a combo points to another one.", "Point it at models.")
    case .unknownProvider:
      .request(404, "There is no such provider.", "See `GET /api/provider-nodes`.")
    case .unknownAccount:
      .request(404, "There is no such account.", "See `GET /api/providers`.")
    case .unknownAlias:
      .request(404, "There is no such alias.", "See `GET /api/models/alias`.")
    case .unknownModel:
      .request(404, "The provider has no such model.", "See `GET /api/models`.")
    case .unknownCombo:
      .request(404, "There is no such combo.", "See `GET /api/combos`.")
    case .unknownPolicy:
      .request(404, "There is no such policy.", "See `GET /v1/admin/routing/policies`.")
    case .unknownOrganisation:
      .request(404, "There is no such organisation.", "See `GET /api/organisations`.")
    case .unknownKey:
      .request(404, "There is no such key.", "See `GET /api/keys`.")
    case .unknownSyncToken:
      .request(404, "There is no such sync token.", "See `GET /api/sync/tokens`.")
    case .unknownSyncPeer:
      .request(404, "Nothing is remembered of such a peer.", "See `GET /api/sync/cloud`.")
    case .discoveryFailed:
      .server(
        502, "The provider did not tell which models it offers.",
        "See `reason`; what is known from before stays in force.", isRetryable: true)
    case .refreshFailed:
      .server(
        502, "The provider gave no new token.",
        "Read the account's credential to see what may be done.", isRetryable: true)
    case .gatewayNotRunning:
      .server(
        503, "No gateway runs here, so that nothing can be asked upstream.",
        "Start it with `signalbox serve`, then try again.", isRetryable: false)
    case .viewsUnavailable:
      .server(
        503,
        "The sums over requests cannot be read now; the log and the requests are not concerned.",
        "Try again; the gateway's log says what the views wait for.", isRetryable: true)
    }
  }
}

extension ErrorCode.Row {
  /// The request is at fault.
  fileprivate static func request(
    _ status: Int, _ summary: String, _ remedy: String, isRetryable: Bool = false
  ) -> Self {
    Self(
      status: status, openAIType: "invalid_request_error", summary: summary, remedy: remedy,
      isRetryable: isRetryable)
  }

  /// The gateway or what is behind it is at fault.
  fileprivate static func server(
    _ status: Int, _ summary: String, _ remedy: String, isRetryable: Bool
  ) -> Self {
    Self(
      status: status, openAIType: "server_error", summary: summary, remedy: remedy,
      isRetryable: isRetryable)
  }

  /// A budget is used up.
  fileprivate static func spent(_ summary: String, _ remedy: String) -> Self {
    Self(
      status: 402, openAIType: "billing_error", summary: summary, remedy: remedy,
      isRetryable: false)
  }

  /// The request contradicts what is there.
  fileprivate static func conflict(_ summary: String, _ remedy: String) -> Self {
    Self(
      status: 409, openAIType: "conflict_error", summary: summary, remedy: remedy,
      isRetryable: false)
  }
}
