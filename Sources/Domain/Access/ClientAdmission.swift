/// What a client shows of who it is.
public enum PresentedKey: Sendable, Hashable {
  /// No key at all.
  case none
  /// One that this gateway never issued.
  case unknown
  /// As the routing snapshot has it: paused while its organisation is.
  case key(Key)
}

/// Why a client is not let in, whatever it asks for; the raw value is the error's code.
public enum AdmissionRefusal: String, Sendable, Hashable, CaseIterable {
  case missingKey = "missing_api_key"
  case unknownKey = "invalid_api_key"
  case keyPaused = "key_paused"
  case keyRevoked = "key_revoked"
  case keyExpired = "key_expired"
}

/// Who a client is, or why it is not let in.
public enum ClientAdmission: Sendable, Hashable {
  case anonymous
  case key(Key)
  case refused(AdmissionRefusal)
}

extension Settings {
  /// Says who may ask; the gateway and `replay` call the same function.
  ///
  /// Without `requireAPIKey` a key that is not known counts as none, because SDKs insist on sending one. One that is
  /// known is held to what it is.
  public func admission(
    of presented: PresentedKey, to operation: Operation, at now: UnixNanoseconds
  ) -> ClientAdmission {
    switch presented {
    case .none:
      return requireAPIKey && operation.goesUpstream ? .refused(.missingKey) : .anonymous
    case .unknown: return requireAPIKey ? .refused(.unknownKey) : .anonymous
    case .key(let key):
      switch key.status {
      case .active: return key.isExpired(at: now) ? .refused(.keyExpired) : .key(key)
      case .paused: return .refused(.keyPaused)
      case .revoked: return .refused(.keyRevoked)
      }
    }
  }
}
