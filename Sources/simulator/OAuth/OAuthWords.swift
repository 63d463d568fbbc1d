import NIOHTTP1

/// The answers of one server, worded as its shape's service does.
struct OAuthWords {
  let server: OAuthScenario.Server
  /// `http://host:port/oauth/name`.
  let base: String

  private var shape: OAuthShape { OAuthShape[server.shape] }

  // MARK: - Tokens

  /// What a token call brings.
  func issued(_ issued: OAuthLedger.Issued) -> JSONValue {
    let expiresIn = issued.accessExpires.map { JSONValue.integer(($0 - issued.at) / second) }
    switch server.shape {
    case .kiro:
      return OAuthWords.object([
        "accessToken": .string(issued.accessToken),
        "refreshToken": issued.refreshToken.map(JSONValue.string), "tokenType": "Bearer",
        "expiresIn": expiresIn,
        "profileArn": .string(
          "arn:aws:codewhisperer:us-east-1:000000000000:profile/\(issued.subject.workspace)"),
      ])
    case .minimax:
      // `expired_in` is a moment in milliseconds, whatever its name says.
      return OAuthWords.object([
        "status": "success", "access_token": .string(issued.accessToken),
        "refresh_token": issued.refreshToken.map(JSONValue.string),
        "expired_in": issued.accessExpires.map { .integer($0 / 1_000_000) },
        "resource_url": .string(server.resourceURL), "token_type": "Bearer",
      ])
    case .claude, .codex, .gemini, .qwen, .iflow, .github, .roo, .oidc:
      var fields: [String: JSONValue?] = [
        "access_token": .string(issued.accessToken),
        "token_type": server.shape == .github ? "bearer" : "Bearer",
        "refresh_token": issued.refreshToken.map(JSONValue.string),
        "expires_in": expiresIn, "scope": .string(shape.scope),
      ]
      if shape.hasIDToken { fields["id_token"] = .string(TokenMint.jwt(claims(issued))) }
      // Google repeats nothing that did not change.
      if server.shape == .gemini, issued.isRefresh { fields["refresh_token"] = .some(nil) }
      if server.shape == .qwen {
        fields["status"] = "success"
        fields["resource_url"] = .string(server.resourceURL)
      }
      if server.shape == .claude {
        fields["account"] = [
          "uuid": .string("acct-\(issued.subject.name)"),
          "email_address": .string(issued.subject.email),
        ]
        fields["organization"] = [
          "uuid": .string(issued.subject.workspace), "name": .string(issued.subject.workspace),
        ]
      }
      return OAuthWords.object(fields)
    }
  }

  private func claims(_ issued: OAuthLedger.Issued) -> JSONValue {
    let subject = issued.subject
    var claims: [String: JSONValue?] = [
      "iss": .string(base), "sub": .string(subject.name), "aud": .string(issued.client),
      "email": .string(subject.email), "email_verified": true,
      "iat": .integer(issued.at / second),
      "exp": .integer(issued.at / second + 3_600), "nonce": issued.nonce.map(JSONValue.string),
    ]
    if server.shape == .codex {
      claims["https://api.openai.com/auth"] = [
        "chatgpt_account_id": .string(subject.workspace), "chatgpt_plan_type": "plus",
        "chatgpt_user_id": .string("user-\(subject.name)"),
        "organizations": [["id": .string(subject.workspace), "is_default": true]],
      ]
    }
    return OAuthWords.object(claims)
  }

  // MARK: - Devices

  /// What opens a device sign-in.
  func device(_ device: OAuthLedger.Device, now: Int64) -> JSONValue {
    let page = "\(base)/device"
    let complete = "\(page)?user_code=\(device.userCode)"
    let expiresIn = (device.expires - now) / second
    let interval = device.interval / second
    switch server.shape {
    case .kiro:
      return [
        "deviceCode": .string(device.deviceCode), "userCode": .string(device.userCode),
        "verificationUri": .string(page), "verificationUriComplete": .string(complete),
        "expiresIn": .integer(expiresIn), "interval": .integer(interval),
      ]
    case .minimax:
      // A moment and an interval, both in milliseconds.
      return [
        "user_code": .string(device.userCode), "verification_uri": .string(complete),
        "expired_in": .integer(device.expires / 1_000_000),
        "interval": .integer(device.interval / 1_000_000),
      ]
    case .qwen:
      // No interval: the client is to take five seconds.
      return [
        "device_code": .string(device.deviceCode), "user_code": .string(device.userCode),
        "verification_uri": .string(page), "verification_uri_complete": .string(complete),
        "expires_in": .integer(expiresIn),
      ]
    case .claude, .codex, .gemini, .iflow, .github, .roo, .oidc:
      return [
        "device_code": .string(device.deviceCode), "user_code": .string(device.userCode),
        "verification_uri": .string(page), "verification_uri_complete": .string(complete),
        "expires_in": .integer(expiresIn), "interval": .integer(interval),
      ]
    }
  }

  // MARK: - Who it is

  func userInfo(_ subject: OAuthScenario.Subject, apiKey: String?) -> JSONValue {
    switch server.shape {
    case .iflow:
      return OAuthWords.object([
        "success": true, "code": "200",
        "data": OAuthWords.object([
          "email": .string(subject.email), "phone": "", "nickname": .string(subject.name),
          "apiKey": apiKey.map(JSONValue.string),
        ]),
      ])
    case .github:
      return [
        "login": .string(subject.name), "id": .integer(stableNumber(subject.name)),
        "name": .string(subject.name), "email": .string(subject.email),
      ]
    case .claude:
      return [
        "account": [
          "uuid": .string("acct-\(subject.name)"), "email": .string(subject.email),
          "full_name": .string(subject.name),
        ],
        "organization": ["uuid": .string(subject.workspace), "name": .string(subject.workspace)],
      ]
    case .roo:
      return [
        "response": [
          "id": .string("user_\(subject.name)"), "first_name": .string(subject.name),
          "primary_email_address_id": "email_1",
          "email_addresses": [["id": "email_1", "email_address": .string(subject.email)]],
        ]
      ]
    case .codex, .gemini, .qwen, .kiro, .minimax, .oidc:
      return [
        "sub": .string(subject.name), "id": .string(subject.name),
        "email": .string(subject.email), "verified_email": true, "name": .string(subject.name),
        "workspace": .string(subject.workspace),
      ]
    }
  }

  /// RFC 8414 and OpenID Connect Discovery.
  var discovery: JSONValue {
    [
      "issuer": .string(base), "authorization_endpoint": .string("\(base)/authorize"),
      "token_endpoint": .string("\(base)/token"), "userinfo_endpoint": .string("\(base)/userinfo"),
      "device_authorization_endpoint": .string("\(base)/device/code"),
      "revocation_endpoint": .string("\(base)/revoke"), "jwks_uri": .string("\(base)/jwks"),
      "response_types_supported": ["code"], "subject_types_supported": ["public"],
      "id_token_signing_alg_values_supported": ["ES256"],
      "code_challenge_methods_supported": ["S256"],
      "grant_types_supported": [
        "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code",
      ],
    ]
  }

  // MARK: - Refusing

  func refusal(_ refusal: OAuthRefusal) -> JSONResponse {
    let text = describe(refusal)
    let plain: JSONValue = ["error": .string(refusal.code), "error_description": .string(text)]
    let isGrant = refusal.code == "invalid_grant"
    if refusal == .badBearer {
      let said: JSONValue = ["error": .string(refusal.code), "message": "Bad credentials"]
      return JSONResponse(status: .unauthorized, text: said.text)
    }
    switch shape.errors {
    case .standard:
      let status: HTTPResponseStatus =
        switch refusal {
        case .invalidClient: .unauthorized
        // Qwen slows down with the status of a limit.
        case .slowDown where server.shape == .qwen: .tooManyRequests
        default: .badRequest
        }
      return JSONResponse(status: status, text: plain.text)
    case .openAI:
      guard isGrant else {
        return JSONResponse(
          status: refusal == .invalidClient ? .unauthorized : .badRequest, text: plain.text)
      }
      if case .badCode = refusal {
        return JSONResponse(
          status: .badRequest, text: openAIError(text, "token_exchange_user_error"))
      }
      let code =
        switch refusal {
        case .usedToken: "refresh_token_reused"
        case .expiredToken: "refresh_token_expired"
        default: "refresh_token_invalidated"
        }
      return JSONResponse(status: .unauthorized, text: openAIError(text, code))
    case .github:
      let code = isGrant ? "bad_verification_code" : refusal.code
      return JSONResponse(
        status: .ok,
        text: (["error": .string(code), "error_description": .string(text)] as JSONValue).text)
    case .miniMax:
      let status: JSONValue = refusal == .pending || refusal == .slowDown ? "pending" : "error"
      return JSONResponse(
        status: isGrant ? .badRequest : .ok,
        text: ([
          "status": status, "base_resp": ["status_code": 1004, "status_msg": .string(text)],
          "error": .string(refusal.code),
        ] as JSONValue).text)
    case .clerk:
      let status: HTTPResponseStatus = isGrant ? .unauthorized : .unprocessableEntity
      return JSONResponse(
        status: status,
        text: (["errors": [["code": .string(refusal.code), "message": .string(text)]]]
          as JSONValue).text)
    }
  }

  private func openAIError(_ message: String, _ code: String) -> String {
    ([
      "error": [
        "message": .string(message), "type": "invalid_request_error", "param": nil,
        "code": .string(code),
      ]
    ] as JSONValue).text
  }

  private func describe(_ refusal: OAuthRefusal) -> String {
    switch refusal {
    case .invalidRequest(let reason): reason
    case .invalidClient: "The client is not known."
    case .badBearer: "The access token is not good."
    case .unsupportedGrant: "The grant type is not supported."
    case .badCode(let reason): "The code is not good: \(reason)."
    case .unknownToken: "Refresh token not found or invalid."
    case .usedToken: "Your refresh token has already been used to generate a new access token."
    case .expiredToken: "The refresh token has expired."
    case .revokedToken: "The refresh token has been revoked."
    case .pending: "The user has not decided yet."
    case .slowDown: "Too many polls; wait five seconds more."
    case .denied: "The user has denied it."
    case .deviceExpired: "The device code has expired."
    }
  }

  // MARK: - Helpers

  private var second: Int64 { 1_000_000_000 }

  private func stableNumber(_ name: String) -> Int64 {
    name.utf8.reduce(1_000) { ($0 &* 31 &+ Int64($1)) & 0xff_ffff }
  }

  /// Without the fields that are nil.
  static func object(_ fields: [String: JSONValue?]) -> JSONValue {
    .object(fields.compactMapValues { $0 })
  }
}

extension OAuthShape.Dialect {
  /// How a model endpoint refuses a token that was good once.
  func refusal(isRevoked: Bool) -> JSONResponse {
    let body: JSONValue =
      switch self {
      case .openAI:
        [
          "error": [
            "message": "Incorrect API key provided.", "type": "invalid_request_error",
            "param": nil, "code": "invalid_api_key",
          ]
        ]
      case .codex:
        [
          "error": [
            "message": isRevoked
              ? "Encountered invalidated oauth token for user, failing request"
              : "Provided authentication token is expired. Please try signing in again.",
            "type": nil, "param": nil, "code": isRevoked ? "token_revoked" : "token_expired",
          ], "status": 401,
        ]
      case .anthropic:
        [
          "type": "error",
          "error": [
            "type": "authentication_error",
            "message": isRevoked
              ? "OAuth token has been revoked. Please obtain a new token."
              : "OAuth token has expired. Please obtain a new token or refresh your existing token."
              ,
          ],
        ]
      case .google:
        [
          "error": [
            "code": 401, "status": "UNAUTHENTICATED",
            "message": "Request had invalid authentication credentials.",
          ]
        ]
      case .copilot: ["message": "unauthorized: token expired"]
      case .aws:
        ["message": "The bearer token included in the request is invalid.", "reason": nil]
      case .qwen:
        [
          "error": [
            "message": "invalid access token or token expired", "type": "invalid_request_error",
            "code": "invalid_api_key",
          ]
        ]
      }
    // AWS says 403 where the others say 401.
    return JSONResponse(status: self == .aws ? .forbidden : .unauthorized, text: body.text)
  }
}
