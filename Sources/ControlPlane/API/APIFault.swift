import ConfigFile
import Domain
import EventStore
import HTTPTypes
import Inquiry
import Surface
import Views

/// An error on its way to the client: a code of the catalogue and what is particular to this case.
struct APIFault: Error, Sendable {
  var code: ErrorCode
  /// nil: the catalogue's.
  var message: String?
  var field: String?
  /// nil: the catalogue's.
  var remedy: String?
  var details: [JSONValue.Member] = []
  var headers: HTTPFields = [:]

  init(
    _ code: ErrorCode, _ message: String? = nil, field: String? = nil, remedy: String? = nil,
    details: [JSONValue.Member] = [], headers: HTTPFields = [:]
  ) {
    self.code = code
    self.message = message
    self.field = field
    self.remedy = remedy
    self.details = details
    self.headers = headers
  }

  /// The fault for any error that a handler threw; nil for what no client caused or can mend.
  init?(_ error: any Error) {
    switch error {
    case let fault as APIFault: self = fault
    case let fault as FieldFault:
      self.init(fault.code, fault.message, field: fault.field, remedy: fault.remedy)
    case let fault as JSONFault: self.init(fault.errorCode, fault.message, field: fault.field)
    case let refusal as Refusal: self.init(refusal: refusal)
    case let error as ControlError: self.init(control: error)
    case let fault as InquiryFault: self.init(inquiry: fault)
    case let flaw as WeakPassword:
      self.init(
        .weakPassword, "The new password \(flaw.sentence).", field: "newPassword",
        remedy: WeakPassword.remedy)
    case let fault as ConfigFault: self.init(file: fault)
    // The keeper knows of it by now, and makes them anew.
    case let fault as ViewFault: self.init(control: .views(fault.description))
    case is Sideline.Full: self.init(.overloaded)
    default: return nil
    }
  }

  private init(file fault: ConfigFault) {
    self.init(
      .invalidConfiguration, fault.message, field: fault.path.isEmpty ? nil : fault.path,
      remedy: fault.remedy.isEmpty ? nil : fault.remedy,
      details: [
        JSONValue.Member("reason", JSONValue(fault.code.rawValue)),
        JSONValue.Member("line", JSONValue(fault.line)),
      ])
  }

  private init(refusal: Refusal) {
    self.init(
      ErrorCode(refusal.code), Self.sentence(refusal.message, about: refusal.field),
      field: Self.apiName(refusal.field),
      remedy: refusal.remedy.isEmpty ? nil : refusal.remedy,
      details: refusal.value.isEmpty ? [] : [.init("value", JSONValue(refusal.value))])
    switch refusal.code {
    case .revisionMismatch:
      field = nil
      if let current = UInt64(refusal.value) {
        details = [JSONValue.Member("revision", JSONValue(current))]
        headers[.eTag] = "\"\(current)\""
      }
    case .invalidField, .unknownProvider, .unknownAccount, .unknownKey, .unknownAlias,
      .alreadyExists, .nameCollision, .unknownTarget, .ambiguousTarget, .aliasOfAlias,
      .keyExists, .notActive, .providerInUse, .unknownModel, .unknownCombo, .unknownPolicy,
      .unknownOrganisation, .organisationInUse, .notRefreshable, .refreshInProgress,
      .notHome, .signedInAsAnother, .unknownSyncToken:
      break
    }
  }

  private init?(control error: ControlError) {
    switch error {
    case .conflict: self.init(.writeConflict)
    case .overloaded: self.init(.overloaded)
    case .tooManyEvents:
      self.init(.bodyTooLarge, "The change needs more events than one batch takes.")
    case .log(let error):
      switch error.code {
      case .full, .overloaded:
        self.init(.recordingUnavailable, "The log takes nothing now; nothing was changed.")
      case .poisoned, .closed:
        self.init(.recordingUnavailable, "The log is closed; nothing was changed.")
      case .io:
        self.init(
          .recordingUnavailable,
          "Writing to the log failed: whether the change is in it shows at the next start.")
      case .conflict, .idReused, .invalidDraft, .locked, .notAStore, .permissions, .damaged:
        return nil
      }
    case .views(let why): self.init(.viewsUnavailable, details: [.init("cause", JSONValue(why))])
    case .missingSecret, .damaged, .unreadable, .notAsSigned: return nil
    }
  }

  /// `base_url` is `baseUrl` here; `dialect` is `protocol`.
  private static func apiName(_ field: String) -> String? {
    if field.isEmpty { return nil }
    if field == "dialect" { return "protocol" }
    var name = ""
    var raises = false
    for character in field {
      if character == "_" || character == "-" {
        raises = true
      } else {
        name += raises ? character.uppercased() : String(character)
        raises = false
      }
    }
    return name
  }

  /// First letter large, full stop at the end: what people read.
  ///
  /// A field that stands first keeps its name, as it is written here.
  private static func sentence(_ text: String, about field: String) -> String {
    guard let first = text.first else { return text }
    let body =
      if let name = apiName(field), text.hasPrefix(field + " ") {
        name + text.dropFirst(field.count)
      } else {
        first.uppercased() + text.dropFirst()
      }
    return body.hasSuffix(".") ? body : body + "."
  }
}

extension Refusal {
  /// The same with its field called as the body calls it.
  func naming(_ names: [String: String]) -> Refusal {
    var refusal = self
    refusal.field = names[field] ?? field
    return refusal
  }
}
