/// How this node exchanges its configuration with another system: its own, never told to peers.
public struct SyncSettings: Sendable, Hashable {
  /// Where the other one is; empty: nowhere.
  public var cloudURL: String
  /// What it speaks.
  public var cloudProtocol: SyncProtocol
  /// By what this one is called at a peer of the older protocol; empty: it has no name there.
  public var machineID: String
  /// Whether tokens are sent to and taken from a peer of the older protocol, which has no seal for them.
  public var syncSecrets: Bool
  /// Between two exchanges: 10…86,400.
  public var intervalSeconds: UInt32
  /// Of the token that is shown there; nil: none is set.
  public var cloudToken: Fingerprint?
  /// Position of the event whose sealed part holds the token; nil: none is set.
  public var cloudTokenPosition: UInt64?

  /// What holds before anything was set.
  public static let initial = SyncSettings(
    cloudURL: "", cloudProtocol: .signalbox, machineID: "", syncSecrets: false,
    intervalSeconds: 300, cloudToken: nil, cloudTokenPosition: nil)

  /// What may be asked of the interval.
  public static let intervals: ClosedRange<UInt32> = 10...86_400
}

/// What another system speaks.
public enum SyncProtocol: UInt8, Sendable, Hashable, CaseIterable {
  /// Field by field, with another node of this kind.
  case signalbox = 1
  /// Whole records, as 9router and its cloud do.
  case nineRouter = 2

  /// As written in configuration and answers.
  public var name: String {
    switch self {
    case .signalbox: "signalbox"
    case .nineRouter: "9router"
    }
  }

  /// By its name; nil: there is no such protocol.
  public init?(name: String) {
    guard let known = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = known
  }
}

extension SettingsEvent {
  /// Only the fields that changed; nil is "unchanged", an empty text "none any more".
  public struct SyncChanged: Sendable, Hashable {
    /// Where the other system is: https, or http to this machine.
    public var cloudURL: String?
    /// What it speaks.
    public var cloudProtocol: SyncProtocol?
    /// 1…128 visible ASCII without `/`, or empty.
    public var machineID: String?
    /// Whether tokens go over the older protocol.
    public var syncSecrets: Bool?
    /// 10…86,400.
    public var intervalSeconds: UInt32?

    /// Made of its parts.
    public init(
      cloudURL: String? = nil, cloudProtocol: SyncProtocol? = nil, machineID: String? = nil,
      syncSecrets: Bool? = nil, intervalSeconds: UInt32? = nil
    ) {
      self.cloudURL = cloudURL
      self.cloudProtocol = cloudProtocol
      self.machineID = machineID
      self.syncSecrets = syncSecrets
      self.intervalSeconds = intervalSeconds
    }
  }
}

extension SyncSettings {
  /// What a change comes to.
  func difference(
    _ wanted: SettingsEvent.SyncChanged
  ) throws(Refusal) -> SettingsEvent.SyncChanged {
    let url = try wanted.cloudURL.map { url throws(Refusal) in try Self.checked(url) }
    if let name = wanted.machineID, !name.isEmpty {
      guard 1...128 ~= name.utf8.count,
        name.utf8.allSatisfy({ 0x21...0x7E ~= $0 && $0 != Bounds.slash })
      else {
        throw .invalid(
          "machine_id", name, "machine_id must be 1 to 128 visible ASCII characters without /")
      }
    }
    if let seconds = wanted.intervalSeconds {
      try Bounds.within(seconds, Self.intervals, "sync_interval_seconds")
    }
    return .init(
      cloudURL: url == cloudURL ? nil : url,
      cloudProtocol: wanted.cloudProtocol == cloudProtocol ? nil : wanted.cloudProtocol,
      machineID: wanted.machineID == machineID ? nil : wanted.machineID,
      syncSecrets: wanted.syncSecrets == syncSecrets ? nil : wanted.syncSecrets,
      intervalSeconds: wanted.intervalSeconds == intervalSeconds ? nil : wanted.intervalSeconds)
  }

  /// Takes in a change; total.
  mutating func take(_ it: SettingsEvent.SyncChanged) {
    cloudURL = it.cloudURL ?? cloudURL
    cloudProtocol = it.cloudProtocol ?? cloudProtocol
    machineID = it.machineID ?? machineID
    syncSecrets = it.syncSecrets ?? syncSecrets
    intervalSeconds = it.intervalSeconds ?? intervalSeconds
  }

  private static func checked(_ url: String) throws(Refusal) -> String {
    if url.isEmpty { return "" }
    let checked: String
    do throws(Refusal) {
      checked = try BaseURL.checked(url)
    } catch {
      throw Refusal(
        code: error.code, field: "cloud_url", value: "",
        message: "cloud_url" + error.message.dropFirst("base_url".count),
        remedy: "Write it like https://gateway.example.com.")
    }
    if checked.hasPrefix("http://"), !BaseURL.isLoopback(checked) {
      throw .invalid(
        "cloud_url", "", "cloud_url must begin with https:// unless it leads to this machine",
        remedy: "What is told to a peer is not sent in clear over a network.")
    }
    return checked
  }
}

// MARK: Encodings

extension SettingsEvent.SyncChanged: Payload {
  private enum Flag {
    static let cloudURL: UInt64 = 1 << 0
    static let cloudProtocol: UInt64 = 1 << 1
    static let machineID: UInt64 = 1 << 2
    static let syncSecrets: UInt64 = 1 << 3
    static let intervalSeconds: UInt64 = 1 << 4
    static let all: UInt64 = 0b1_1111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.cloudURL.when(cloudURL != nil) | Flag.cloudProtocol.when(cloudProtocol != nil)
        | Flag.machineID.when(machineID != nil) | Flag.syncSecrets.when(syncSecrets != nil)
        | Flag.intervalSeconds.when(intervalSeconds != nil))
    cloudURL?.write(to: &writer)
    if let cloudProtocol { writer.byte(cloudProtocol.rawValue) }
    machineID?.write(to: &writer)
    syncSecrets?.write(to: &writer)
    intervalSeconds?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    cloudURL = try reader.optional(flags, Flag.cloudURL)
    cloudProtocol =
      flags & Flag.cloudProtocol == 0 ? nil : try reader.one(of: SyncProtocol.self)
    machineID = try reader.optional(flags, Flag.machineID)
    syncSecrets = try reader.optional(flags, Flag.syncSecrets)
    intervalSeconds = try reader.optional(flags, Flag.intervalSeconds)
  }
}

extension SyncSettings: Payload {
  private enum Flag {
    static let syncSecrets: UInt64 = 1 << 0
    static let cloudToken: UInt64 = 1 << 1
    static let cloudTokenPosition: UInt64 = 1 << 2
    static let all: UInt64 = 0b111
  }

  func write(to writer: inout RecordWriter) {
    writer.varint(
      Flag.syncSecrets.when(syncSecrets) | Flag.cloudToken.when(cloudToken != nil)
        | Flag.cloudTokenPosition.when(cloudTokenPosition != nil))
    writer.text(cloudURL)
    writer.byte(cloudProtocol.rawValue)
    writer.text(machineID)
    intervalSeconds.write(to: &writer)
    if let cloudToken { writer.fingerprint(cloudToken) }
    cloudTokenPosition?.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    let flags = try reader.flags(known: Flag.all)
    syncSecrets = flags & Flag.syncSecrets != 0
    cloudURL = try reader.text()
    cloudProtocol = try reader.one(of: SyncProtocol.self)
    machineID = try reader.text()
    intervalSeconds = try reader.uint32()
    cloudToken = flags & Flag.cloudToken == 0 ? nil : try reader.fingerprint()
    cloudTokenPosition = try reader.optional(flags, Flag.cloudTokenPosition)
  }
}
