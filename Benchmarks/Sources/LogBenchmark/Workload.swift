import Domain
import EventStore

/// Events as a gateway of some tenants writes them: nine of ten are `request.finished`, the rest are other kinds.
///
/// The event with a number follows from seed and number alone, so that any of them can be made again. Ids are
/// UUIDv7, two milliseconds apart unless asked otherwise; names, sizes and times vary as widely as in production, and what is
/// random there (ids, client ids) is random here.
struct Workload {
  let seed: UInt64
  /// Milliseconds since the Unix epoch of the first event.
  private let first: UInt64
  /// Microseconds from each event to the next.
  private let step: UInt64
  /// Whether each beginning is followed by its end; else beginnings stay without.
  private let endsAll: Bool
  private let keys: [KeyID]
  private let organisations: [OrganisationID]
  private let addresses: [String]
  private let models: [Model]

  private struct Model {
    var provider: String
    var name: String
    var alias: String?
    /// Millionths of a dollar for a million tokens.
    var inputPrice: UInt64
    var outputPrice: UInt64
  }

  init(seed: UInt64, first: UInt64 = 1_795_208_019_000, step: UInt64 = 2_000, endsAll: Bool = false)
  {
    self.seed = seed
    self.endsAll = endsAll
    self.first = first
    self.step = step
    var dice = Dice(seed ^ 0x5EED)
    keys = (0..<200).map { _ in KeyID(uuidText(dice.uuid(milliseconds: 1_790_000_000_000))) }
    organisations = (0..<24).map { $0 == 0 ? .standard : OrganisationID("team-\($0)") }
    addresses = (0..<400).map { _ in
      "10.\(dice.below(4)).\(dice.below(256)).\(1 + dice.below(254))"
    }
    models = [
      Model(
        provider: "openai", name: "gpt-4o-mini", alias: "fast", inputPrice: 150, outputPrice: 600),
      Model(provider: "openai", name: "gpt-4o", alias: nil, inputPrice: 2_500, outputPrice: 10_000),
      Model(
        provider: "anthropic", name: "claude-sonnet-4-5", alias: "smart", inputPrice: 3_000,
        outputPrice: 15_000),
      Model(
        provider: "gemini", name: "gemini-2.5-flash", alias: nil, inputPrice: 300,
        outputPrice: 2_500),
      Model(
        provider: "anthropic", name: "claude-haiku-4-5", alias: nil, inputPrice: 1_000,
        outputPrice: 5_000),
      Model(
        provider: "openrouter", name: "deepseek/deepseek-v3.2", alias: "cheap", inputPrice: 250,
        outputPrice: 400),
      Model(
        provider: "openai", name: "gpt-5-mini", alias: nil, inputPrice: 250, outputPrice: 2_000),
      Model(
        provider: "gemini", name: "gemini-2.5-pro", alias: "long", inputPrice: 1_250,
        outputPrice: 10_000),
      Model(
        provider: "openrouter", name: "qwen/qwen3-coder", alias: nil, inputPrice: 220,
        outputPrice: 950),
      Model(
        provider: "local", name: "llama-3.3-70b-instruct", alias: nil, inputPrice: 0, outputPrice: 0
      ),
    ]
  }

  /// The id of the event with this number.
  func id(_ number: UInt64) -> EventID {
    var dice = dice(number)
    return EventID(dice.uuid(milliseconds: milliseconds(number)))
  }

  /// An id of the same times that no event of this workload has, but for a chance of one in 2⁷⁴.
  func foreignID(_ number: UInt64) -> EventID {
    var dice = Dice(seed ^ 0xF0E1 ^ number &* 0xD134_2543_DE82_EF95)
    return EventID(dice.uuid(milliseconds: milliseconds(number)))
  }

  /// The event with this number, as the gateway would hand it to the log.
  func draft(_ number: UInt64) -> EventDraft {
    var dice = dice(number)
    let id = EventID(dice.uuid(milliseconds: milliseconds(number)))
    let time = Int64(milliseconds(number)) * 1_000_000 + Int64(dice.below(1_000_000))
    var (event, provenance) = event(time, &dice)
    if endsAll, number > 0, let begun = beginning(number - 1) {
      (event, provenance) = (.request(.finished(finished(time, &dice, of: begun))), .system)
    }
    return EventDraft(
      id: id, stream: event.stream, kind: event.kind, time: time, lookupKeys: event.lookupKeys,
      payload: encode(event, provenance))
  }

  /// What the event with this number begins; nil: it begins nothing, or is an end.
  private func beginning(_ number: UInt64) -> RequestEvent.Dispatched? {
    var dice = dice(number)
    _ = dice.uuid(milliseconds: milliseconds(number))
    let time = Int64(milliseconds(number)) * 1_000_000 + Int64(dice.below(1_000_000))
    guard case (.request(.dispatched(let it)), _) = event(time, &dice),
      number == 0 || beginning(number - 1) == nil
    else { return nil }
    return it
  }

  func drafts(_ numbers: Range<UInt64>) -> [EventDraft] { numbers.map(draft) }

  /// Every provider, account and key that the events name, as an operator would have set them up before.
  func declarations() -> [EventDraft] {
    var events: [Event] = []
    for provider in Set(models.map(\.provider)).sorted() {
      let id = ProviderID(provider)
      events.append(
        .provider(
          .added(
            .init(
              id: id, name: provider, dialect: .openai, baseURL: "http://127.0.0.1:9/v1",
              prefix: provider,
              models: models.filter { $0.provider == provider }.map { .init(name: $0.name) },
              excludedModels: []))))
      for number in 1...6 {
        events.append(
          .account(
            .added(
              .init(
                id: AccountID("\(provider).a\(number)"), provider: id, name: "a\(number)",
                priority: 1, weight: 1))))
      }
    }
    for (number, key) in keys.enumerated() {
      let mark = [UInt8(number % 256), UInt8(number / 256)]
      events.append(
        .key(
          .created(
            .init(
              id: key, name: "service \(number)", organisation: .standard,
              fingerprint: Fingerprint(mark + [UInt8](repeating: 0, count: 30)),
              masked: "sb-…\(number)", diagnostics: false, expiresAt: nil))))
    }
    let time = Int64(milliseconds(0)) * 1_000_000
    return events.enumerated().map { number, event in
      EventDraft(
        id: foreignID(UInt64(number)), stream: event.stream, kind: event.kind, time: time,
        lookupKeys: event.lookupKeys, payload: encode(event, .system))
    }
  }

  /// The same events in batches of `size`; the last one may be shorter.
  func batches(_ numbers: Range<UInt64>, of size: Int) -> [AppendBatch] {
    stride(from: numbers.lowerBound, to: numbers.upperBound, by: size).map { first in
      AppendBatch(events: drafts(first..<min(first + UInt64(size), numbers.upperBound)))
    }
  }

  private func dice(_ number: UInt64) -> Dice {
    Dice(seed &+ (number &+ 1) &* 0xA076_1D64_78BD_642F)
  }

  private func milliseconds(_ number: UInt64) -> UInt64 { first + number * step / 1000 }

  private func event(_ time: Int64, _ dice: inout Dice) -> (Event, Provenance) {
    switch dice.below(1_000) {
    case 0..<900: (.request(.finished(finished(time, &dice))), .system)
    case 900..<980: (.request(.dispatched(dispatched(time, &dice))), .system)
    case 980..<986:
      (
        .request(
          .deniedSummary(
            .init(
              remoteAddress: dice.one(of: addresses),
              since: UnixNanoseconds(time - 1_000_000_000), count: 11 + dice.below(4_000)))),
        .system
      )
    case 986..<990:
      (
        .request(
          .deliveryFailed(.init(id: requestID(time, &dice), errorCode: "client_hung_up"))), .system
      )
    case 990..<992:
      (
        .request(
          .interrupted(
            .init(
              id: requestID(time, &dice), clientRequestID: clientID(&dice), organisation: .standard,
              key: dice.one(of: keys), dispatchedAt: 1 + dice.below(1_000_000)))), .system
      )
    case 992..<996:
      (
        .alias(
          .set(
            .init(
              name: "team-\(dice.below(24))-\(dice.below(90))", target: qualified(&dice),
              isUnresolved: dice.below(20) == 0))), change(time, &dice)
      )
    case 996..<998:
      (
        .key(.changed(.init(id: dice.one(of: keys), name: "service \(dice.below(500))"))),
        change(time, &dice)
      )
    default:
      (
        .account(
          .changed(
            .init(
              id: account(model(&dice).provider, &dice), priority: UInt32(dice.below(10)),
              weight: UInt32(1 + dice.below(100))))), change(time, &dice)
      )
    }
  }

  /// An operator's edit.
  private func change(_ time: Int64, _ dice: inout Dice) -> Provenance {
    Provenance(
      actor: "admin", source: dice.below(3) == 0 ? .cli : .api,
      address: "\(dice.one(of: addresses)):\(32_768 + dice.below(28_000))",
      correlation: requestID(time, &dice).rawValue, base: 1 + dice.below(40))
  }

  private func dispatched(_ time: Int64, _ dice: inout Dice) -> RequestEvent.Dispatched {
    let model = model(&dice)
    let received = time - 100_000_000 - Int64(dice.below(3_000_000))
    return RequestEvent.Dispatched(
      id: requestID(received, &dice), clientRequestID: clientID(&dice),
      organisation: dice.one(of: organisations), key: dice.one(of: keys),
      operation: .chatCompletions, modelAsked: asked(model, &dice),
      receivedAt: UnixNanoseconds(received), account: account(model.provider, &dice))
  }

  private func finished(
    _ time: Int64, _ dice: inout Dice, of begun: RequestEvent.Dispatched
  ) -> RequestEvent.Finished {
    var it = finished(time, &dice)
    it.id = begun.id
    it.clientRequestID = begun.clientRequestID
    it.organisation = begun.organisation
    it.key = begun.key
    it.modelAsked = begun.modelAsked
    it.receivedAt = begun.receivedAt
    return it
  }

  private func finished(_ time: Int64, _ dice: inout Dice) -> RequestEvent.Finished {
    let model = model(&dice)
    let isStream = dice.below(3) > 0
    let firstByte = dice.skewed(180_000, doublings: 4)
    let output = dice.skewed(12, doublings: 7)
    let total = firstByte + (isStream ? output * (6_000 + dice.below(9_000)) : dice.below(4_000))
    let received = time - Int64(total) * 1_000 - Int64(dice.below(400_000))
    let input = dice.skewed(40, doublings: 8)
    var it = RequestEvent.Finished(
      id: requestID(received, &dice), clientRequestID: clientID(&dice),
      organisation: dice.one(of: organisations), key: dice.one(of: keys),
      remoteAddress: dice.one(of: addresses), operation: .chatCompletions,
      modelAsked: asked(model, &dice), modelResolved: "\(model.provider)/\(model.name)",
      isStream: isStream, receivedAt: UnixNanoseconds(received), attempts: [], status: 200,
      ending: .completed, errorCode: nil, errorClass: nil,
      usage: TokenUsage(
        input: input, output: output, cached: dice.below(4) == 0 ? input / 4 * 3 : nil,
        reasoning: dice.below(6) == 0 ? output / 2 : nil),
      priceVersion: model.inputPrice > 0 ? 7 : nil,
      costMicroUSD: model.inputPrice > 0
        ? (input * model.inputPrice + output * model.outputPrice) / 1_000 : nil,
      requestBytes: 180 + input * 4 + dice.below(90),
      responseBytes: 420 + output * 5 + dice.below(60),
      queueMicroseconds: 20 + dice.below(90), firstByteMicroseconds: firstByte,
      totalMicroseconds: total)
    let snapshot = 1 + dice.below(60)
    var began = received + Int64(it.queueMicroseconds) * 1_000
    let luck = dice.below(100)
    if luck < 4 {
      it.attempts.append(
        attempt(
          model, snapshot, began, &dice, status: 429, errorClass: .account,
          errorCode: "status_429", total: 30_000 + dice.below(90_000)))
      began += 120_000_000
    }
    switch luck {
    case 90..<93:
      it.status = 401
      it.modelResolved = nil
      it.ending = .denied
      it.errorCode = "invalid_api_key"
      it.errorClass = .client
    case 93..<95:
      it.status = 400
      it.ending = .failed
      it.errorCode = "status_400"
      it.errorClass = .request
      it.attempts.append(
        attempt(
          model, snapshot, began, &dice, status: 400, errorClass: .request,
          errorCode: "status_400", total: total))
    case 95..<97:
      it.status = 502
      it.ending = .failed
      it.errorCode = "timeout"
      it.errorClass = .provider
      it.attempts.append(
        attempt(
          model, snapshot, began, &dice, status: nil, errorClass: .network, errorCode: "timeout",
          total: 30_000_000))
    case 97..<99:
      it.ending = .clientHungUp
      it.errorCode = "client_hung_up"
      it.errorClass = .client
      it.attempts.append(attempt(model, snapshot, began, &dice, status: 200, total: total))
    default:
      it.attempts.append(attempt(model, snapshot, began, &dice, status: 200, total: total))
    }
    if it.ending == .denied || it.ending == .failed {
      it.usage = .notReported
      it.priceVersion = nil
      it.costMicroUSD = nil
      it.responseBytes = 140 + dice.below(80)
    }
    return it
  }

  private func attempt(
    _ model: Model, _ snapshot: UInt64, _ began: Int64, _ dice: inout Dice, status: UInt16?,
    errorClass: ErrorClass? = nil, errorCode: String? = nil, total: UInt64
  ) -> Attempt {
    Attempt(
      snapshot: snapshot, now: UnixNanoseconds(began), seed: dice.next(), local: .none,
      account: account(model.provider, &dice), rule: dice.below(3) == 0 ? .only : .fillFirst,
      status: status, errorClass: errorClass, errorCode: errorCode,
      connectMicroseconds: dice.below(5) == 0 ? 600 + dice.below(30_000) : 0,
      firstByteMicroseconds: status == nil ? nil : min(total, 20_000 + dice.below(900_000)),
      totalMicroseconds: total)
  }

  /// A few models serve most requests.
  private func model(_ dice: inout Dice) -> Model {
    models[min(Int(dice.below(UInt64(models.count))), Int(dice.below(UInt64(models.count))))]
  }

  private func qualified(_ dice: inout Dice) -> String {
    let model = model(&dice)
    return "\(model.provider)/\(model.name)"
  }

  private func asked(_ model: Model, _ dice: inout Dice) -> String {
    if let alias = model.alias, dice.below(2) == 0 { return alias }
    return dice.below(3) == 0 ? model.name : "\(model.provider)/\(model.name)"
  }

  private func account(_ provider: String, _ dice: inout Dice) -> AccountID {
    AccountID("\(provider).a\(1 + min(dice.below(6), dice.below(6)))")
  }

  private func requestID(_ time: Int64, _ dice: inout Dice) -> RequestID {
    RequestID(dice.uuid(milliseconds: UInt64(time / 1_000_000)))
  }

  private func clientID(_ dice: inout Dice) -> String? {
    switch dice.below(10) {
    case 0..<2: "req_" + String(dice.next(), radix: 36)
    case 2..<4: uuidText(dice.uuid(milliseconds: dice.next() >> 16))
    default: nil
    }
  }
}
