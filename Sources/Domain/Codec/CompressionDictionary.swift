/// Typical content for the log's LZ4 dictionary: at most 8 KiB, the most frequent kinds last.
///
/// Deterministic, and made as records stand in a block: stream, kind, payload. LZ4 gives up what lies furthest
/// back first and writes near matches in no more bytes than far ones, so what is frequent goes to the end.
/// Segments carry the dictionary they were written with: this may change from build to build.
public func compressionDictionary() -> [UInt8] {
  var dictionary: [UInt8] = []
  func append(_ event: Event, _ provenance: Provenance, isWhole: Bool = true) {
    dictionary.append(contentsOf: event.stream.utf8)
    dictionary.append(contentsOf: event.kind.utf8)
    let bytes = encode(event, provenance)
    // Whoever made it stands in the whole ones; of the rare ones, the beginning of what it says.
    var author = RecordWriter()
    provenance.write(to: &author)
    dictionary.append(
      contentsOf: isWhole ? bytes[...] : bytes.dropFirst(author.bytes.count).prefix(56))
  }

  let operatorProvenance = Provenance(
    actor: "admin", source: .api, address: "127.0.0.1:50000",
    correlation: Sample.request.rawValue, base: 1)
  for kind in WireKind.allCases where !kind.isFrequent && !kind.isSuperseded {
    let isCommon = kind == .aliasSet || kind == .accountChanged
    append(kind.sample, kind.isOwn ? .system : operatorProvenance, isWhole: isCommon)
  }
  for code in frequentCodes { dictionary.append(contentsOf: code.utf8) }
  for operation in Operation.allCases { dictionary.append(contentsOf: operation.name.utf8) }
  for kind in WireKind.allCases where kind.isFrequent { append(kind.sample, .system) }
  for finished in frequentRequests { append(.request(.finished(finished)), .system) }
  return dictionary.suffix(8_192)
}

/// Codes that attempts and requests end with.
private let frequentCodes = [
  "connect_refused", "timeout", "status_400", "status_401", "status_403", "status_404",
  "status_500", "status_502", "status_503", "status_529", "status_429", "invalid_api_key",
  "model_not_found", "no_account", "upstream_cut", "client_hung_up",
]

/// Requests as most gateways see them, the commonest last.
private let frequentRequests: [RequestEvent.Finished] = {
  var denied = Sample.finished
  denied.modelResolved = nil
  denied.attempts = []
  denied.status = 401
  denied.ending = .denied
  denied.errorCode = "invalid_api_key"
  denied.errorClass = .client
  denied.usage = .notReported
  denied.isStream = false

  var plain = Sample.finished
  plain.clientRequestID = nil
  plain.attempts = Array(plain.attempts.suffix(1))
  plain.ending = .completed
  plain.errorCode = nil
  plain.errorClass = nil
  plain.usage = TokenUsage(input: 9, output: 12)
  plain.priceVersion = nil
  plain.costMicroUSD = nil
  plain.modelAsked = "mock/gpt-4o-mini"

  var whole = plain
  whole.isStream = false
  return [denied, plain, whole]
}()

extension WireKind {
  /// Written by the gateway of itself.
  fileprivate var isOwn: Bool { rawValue.hasPrefix("gateway.") }

  /// There is a later version, which is near enough for those that are still written as this one.
  fileprivate var isSuperseded: Bool {
    guard let dot = rawValue.lastIndex(of: "."), let version = Int(rawValue[dot...].dropFirst(2))
    else { return false }
    return WireKind(rawValue: "\(rawValue[..<dot]).v\(version + 1)") != nil
  }

  /// Written once a request rather than once an edit.
  fileprivate var isFrequent: Bool {
    rawValue.hasPrefix("request.")
  }
}
