/// What one node tells another: every resource that was ever edited, field by field, with whose edit it is.
///
/// A resource that is gone is told of as gone. One that is not told of says nothing.
public struct SyncDocument: Sendable, Hashable {
  /// Who tells.
  public var node: NodeID
  /// The teller's wall clock.
  public var clock: UnixNanoseconds
  /// In the order of ranks, then by stream: any beginning of it can be taken in alone.
  public var streams: [Stream]
  /// By account, removed ones included.
  public var credentials: [Holding]

  /// Resources and credentials, which stand behind them, so that the accounts they are of are there.
  public var count: Int { streams.count + credentials.count }

  /// Made of its parts.
  public init(
    node: NodeID, clock: UnixNanoseconds, streams: [Stream], credentials: [Holding]
  ) {
    self.node = node
    self.clock = clock
    self.streams = streams
    self.credentials = credentials
  }

  /// An account's credential; its secret goes beside the document.
  public struct Holding: Sendable, Hashable {
    /// Whose it is.
    public var account: AccountID
    /// The last one that there was.
    public var version: Credential.Version
    /// The only node that refreshes it; says nothing if none is in force.
    public var home: NodeID
    /// What it is made of, with the fingerprint as whoever reads this makes it; nil: none is in force.
    public var terms: CredentialTerms?
    /// What it stands on; of a node that tells nobody's: not known.
    public var ancestry: Ancestry

    /// Made of its parts; `ancestry` nil: nobody told.
    public init(
      account: AccountID, version: Credential.Version, home: NodeID, terms: CredentialTerms?,
      ancestry: Ancestry? = nil
    ) {
      self.account = account
      self.version = version
      self.home = home
      self.terms = terms
      self.ancestry = ancestry ?? Ancestry(unnamed: version.generation)
    }
  }

  /// One resource.
  public struct Stream: Sendable, Hashable {
    /// By the name of its stream: `alias/fast`.
    public var stream: String
    /// Whether it is there.
    public var isPresent: Bool
    /// Of its coming or going.
    public var version: FieldVersion
    /// By name; empty if it is not there.
    public var fields: [Field]
  }

  /// One field of a resource.
  public struct Field: Sendable, Hashable {
    /// By the name that answers give it.
    public var name: String
    /// As it should be.
    public var value: Image.Value
    /// Of the edit that made it so.
    public var version: FieldVersion
  }
}

extension SyncDocument.Stream {
  init(_ subject: Subject, _ register: Register) {
    self.init(
      stream: subject.stream, isPresent: register.isPresent, version: register.version,
      fields: register.fields.sorted { $0.key < $1.key }.map {
        .init(name: $0.key, value: $0.value.value, version: $0.value.version)
      })
  }
}

extension SyncDocument.Holding {
  /// The home of what is not there: the same wherever it is told.
  private static let nobody = NodeID("-")

  init(_ account: Account, node: NodeID) {
    let credential = account.credential
    self.init(
      account: account.id, version: credential.version,
      home: credential.fingerprint == nil ? Self.nobody : credential.home ?? node,
      terms: credential.fingerprint.map {
        CredentialTerms(
          fingerprint: $0, kind: credential.kind, canRefresh: credential.canRefresh,
          expiresAt: credential.expiresAt)
      }, ancestry: credential.ancestry)
  }
}

/// A resource as nodes agree on it, whether it can be so here or not.
struct Register: Hashable {
  struct Cell: Hashable {
    var value: Image.Value
    var version: FieldVersion

    /// This one, where the other one is what it was made on top of, renewed: it is renewed likewise.
    func following(_ other: Cell, by author: EditAuthor) -> Cell {
      guard other.version.stamp.isRenewed, version.stamp < other.version.stamp,
        !version.stamp.isSameEdit(as: other.version.stamp),
        version.isBuilt(on: other.version), let renewed = version.renewed(by: author)
      else { return self }
      return Cell(value: value, version: renewed)
    }
  }

  var isPresent: Bool
  var version: FieldVersion
  var fields: [String: Cell]

  /// Of what is there without anybody's edit.
  static let genesis = Register(isPresent: true, version: FieldVersion(.genesis), fields: [:])

  init(isPresent: Bool, version: FieldVersion, fields: [String: Cell]) {
    self.isPresent = isPresent
    self.version = version
    self.fields = fields
  }

  init(_ stream: SyncDocument.Stream) {
    self.init(isPresent: stream.isPresent, version: stream.version, fields: [:])
    for field in stream.fields {
      fields[field.name] = Cell(value: field.value, version: field.version)
    }
  }

  /// A field, or whether it is there at all.
  subscript(_ field: String) -> Cell? {
    field.isEmpty ? Cell(value: .flag(isPresent), version: version) : fields[field]
  }

  /// The same value as a newer edit: fields that came with the resource go with it.
  mutating func renew(_ field: String, _ version: FieldVersion) {
    guard field.isEmpty else {
      fields[field]?.version = version
      return
    }
    for (name, cell) in fields where cell.version == self.version {
      fields[name]?.version = version
    }
    self.version = version
  }

  /// With no more authors of each version than are remembered.
  var bounded: Register {
    Register(
      isPresent: isPresent, version: version.bounded,
      fields: fields.mapValues { Cell(value: $0.value, version: $0.version.bounded) })
  }

  /// The values alone.
  var values: [String: Image.Value] { fields.mapValues(\.value) }
}

extension ControlState {
  /// What is told to another node.
  ///
  /// - Parameter secretsKey: names the key under which this store's fingerprints are made: a client key is
  ///   known where they are made under the same.
  public func document(secretsKey: String, clock: UnixNanoseconds) -> SyncDocument {
    let streams = registers(secretsKey: secretsKey).map(SyncDocument.Stream.init)
    let credentials = (Array(accounts.values) + Array(removedAccounts.values))
      .filter { $0.credential.generation > 0 && accounts[$0.id] ?? $0 == $0 }
      // What waits for its account is nobody else's to wait for.
      .filter { !keepsCredential(of: $0.id) }
      .sorted { $0.id < $1.id }
      .map { SyncDocument.Holding($0, node: sync.node) }
    return SyncDocument(
      node: sync.node, clock: clock, streams: streams, credentials: credentials)
  }

  /// Everything that was ever edited, in the order in which it is told.
  func registers(secretsKey: String) -> [(subject: Subject, register: Register)] {
    sync.streams.compactMap { stream, versions in
      Subject(stream: stream).map { ($0, register(of: $0, versions, secretsKey)) }
    }
    .sorted { ($0.0.rank, $0.0.stream) < ($1.0.rank, $1.0.stream) }
  }

  private func register(
    of subject: Subject, _ versions: StreamVersions, _ secretsKey: String
  ) -> Register {
    var register = Register(
      isPresent: versions.isPresent, version: versions.version, fields: [:])
    guard versions.isPresent else { return register }
    var values = sharedFields(of: subject, secretsKey: secretsKey) ?? [:]
    for field in sync.withheld[subject.stream]?.fields ?? [] { values[field.name] = field.value }
    for name in Set(values.keys).union(versions.fields.keys) {
      let version = versions[name]
      guard version.stamp != .genesis, !subject.ownFields.contains(name) else { continue }
      register.fields[name] = .init(value: values[name] ?? .none, version: version)
    }
    return register
  }
}
