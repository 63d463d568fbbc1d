public import Domain
public import EventStore

/// That events stood in a log: a document which is checked without the log, with a public key alone.
///
/// An event's leaf leads by a path of hashes to the Merkle root in a checkpoint, and that is signed.
public struct Proof: InquiryReport, Hashable {
  /// Which log it speaks of.
  public var store: UInt128
  /// In the order of the log.
  public var events: [Item]
  /// The checkpoints that cover them, in the order of the log.
  public var checkpoints: [GatewayEvent.CheckpointSigned]

  /// Takes the parts as they are.
  public init(store: UInt128, events: [Item], checkpoints: [GatewayEvent.CheckpointSigned]) {
    self.store = store
    self.events = events
    self.checkpoints = checkpoints
  }

  /// One event.
  public struct Item: Sendable, Hashable {
    /// Where it stands in the log.
    public var position: UInt64
    /// The public part, and the digest of the sealed one.
    public var record: PublicRecord
    /// Position that the covering checkpoint covers.
    public var checkpoint: UInt64
    /// From the leaf's side up.
    public var path: [Digest]

    /// Takes the parts as they are.
    public init(position: UInt64, record: PublicRecord, checkpoint: UInt64, path: [Digest]) {
      self.position = position
      self.record = record
      self.checkpoint = checkpoint
      self.path = path
    }
  }

  /// Longer documents are none of ours.
  public static let bytesMax = 16 << 20
  static let format = "signalbox-proof-1"
  /// Of these documents.
  public static let formatVersion = format

  /// A check that a proof does not pass.
  public enum Step: String, Sendable, CaseIterable {
    /// It is one of these documents.
    case document
    /// Its checkpoints name the key that was given.
    case key
    /// That key signed them.
    case signature
    /// An event's leaf is the hash of its public part and the digest of its sealed one.
    case leaf
    /// Leaf and path give the root that was signed, at the event's position.
    case inclusion
    /// The public part says what an event says.
    case record
    /// Everything else in the document is what these say, to the byte.
    case rendering
  }

  /// Why a proof does not hold.
  public struct Broken: Error, Sendable, Hashable {
    /// The check.
    public var step: Step
    /// In words.
    public var what: String
  }

  /// Always 0: what cannot be proven is a fault.
  public var exitCode: ExitCode { .same }
  /// The document; it is its own text.
  public var text: String { json.rendered }

  /// The document, in its one form.
  public var json: JSONTree {
    .object([
      .init("format", .text(Proof.format)), .init("store", .text(uuidText(store))),
      .init("events", .array(events.map(json))),
      .init(
        "checkpoints",
        .array(
          checkpoints.map {
            .object([
              .init("position", .count($0.position)), .init("epoch", .count($0.epoch)),
              .init("chain", .text(Shown.hex($0.chain))), .init("previous", .count($0.previous)),
              .init("root", .text(Shown.hex($0.root))),
              .init("publicKey", .text(Shown.hex($0.publicKey))),
              .init("signature", .text(Shown.hex($0.signature))),
            ])
          })),
    ])
  }

  private func json(_ item: Item) -> JSONTree {
    .object([
      .init("position", .count(item.position)), .init("summary", .object(summary(item))),
      .init("publicPart", .text(base64Text(item.record.bytes))),
      .init("sealedDigest", .text(item.record.sealedDigest.text)),
      .init("leaf", .text(item.record.leaf.text)), .init("checkpoint", .count(item.checkpoint)),
      .init("path", .array(item.path.map { .text($0.text) })),
    ])
  }

  /// For readers; never more than a build of this format always wrote, for it is compared to the byte.
  private func summary(_ item: Item) -> [JSONTree.Member] {
    guard let entry = item.entry else { return [] }
    var members: [JSONTree.Member] = [
      .init("kind", .text(entry.stored.kind)), .init("stream", .text(entry.stored.stream)),
      .init("revision", .count(entry.stored.revision.rawValue)),
      .init("event", .text(uuidText(entry.stored.id.rawValue))),
      .init("time", .text(rfc3339(entry.time))),
    ]
    if case .request(.finished(let it)) = entry.event {
      members += [
        .init("request", .text(uuidText(it.id.rawValue))),
        .init("clientRequestId", .text(it.clientRequestID)),
        .init("model", .text(it.modelAsked)), .init("status", .count(UInt64(it.status))),
        .init("ending", .text(it.ending.name)),
      ]
    }
    return members
  }
}

extension Proof.Item {
  /// The event; nil if the public part breaks the format.
  ///
  /// A proof does not tell its epoch.
  var entry: Entry? {
    record.event(epoch: Epoch(0), position: Position(position)).map(Entry.init)
  }
}

// MARK: Checking

extension Proof {
  /// Reads a document, and checks it all.
  ///
  /// - Parameter key: From outside the document, and from outside the log.
  /// - Throws: `Broken`, with the first check that fails.
  public init(checking text: String, key: VerifyingKey) throws(Broken) {
    try self.init(parsing: text)
    for it in checkpoints {
      guard it.publicKey == key.bytes else {
        throw Broken(
          step: .key,
          what:
            "checkpoint \(it.position) names the key \(Shown.hex(it.publicKey)), not the given one")
      }
      guard key.isValid(it.signature, over: it.statement(store: store)) else {
        throw Broken(
          step: .signature, what: "the key did not sign checkpoint \(it.position) as it stands here"
        )
      }
    }
    for it in events { try check(it) }
    // Byte by byte: two texts are equal to Swift also where their bytes are not.
    guard text.utf8.elementsEqual(self.text.utf8) else {
      throw Broken(
        step: .rendering,
        what: "what is signed holds, but something else in the document was changed")
    }
  }

  private func check(_ item: Item) throws(Broken) {
    guard
      let checkpoint = checkpoints.first(where: { $0.position == item.checkpoint }),
      checkpoint.previous < item.position, item.position <= checkpoint.position,
      let root = Digest(bytes: checkpoint.root)
    else {
      throw Broken(
        step: .inclusion, what: "no checkpoint in the document covers position \(item.position)")
    }
    let found = MerkleTree.root(
      leaf: item.record.leaf, index: item.position - checkpoint.previous - 1,
      count: checkpoint.position - checkpoint.previous, path: item.path)
    guard found == root else {
      throw Broken(
        step: .inclusion,
        what: "the event does not lead to what was signed: event, position or path was changed")
    }
    guard item.entry != nil else {
      throw Broken(
        step: .record, what: "the public part of position \(item.position) breaks the format")
    }
  }

  private init(parsing text: String) throws(Broken) {
    let broken = Broken(
      step: .document, what: "this is not a document of the format \(Proof.format)")
    guard text.utf8.count <= Proof.bytesMax, let tree = JSONTree(parsing: text),
      tree["format"]?.text == Proof.format, let store = tree["store"]?.text.flatMap(parseUUID),
      let events = tree["events"]?.elements, !events.isEmpty,
      let checkpoints = tree["checkpoints"]?.elements, !checkpoints.isEmpty
    else { throw broken }
    self.store = store
    self.events = []
    self.checkpoints = []
    for it in checkpoints {
      guard let position = it["position"]?.count, let epoch = it["epoch"]?.count,
        let chain = it["chain"]?.bytes(32), let previous = it["previous"]?.count,
        let root = it["root"]?.bytes(32), let publicKey = it["publicKey"]?.bytes(32),
        let signature = it["signature"]?.bytes(64), previous < position
      else { throw broken }
      self.checkpoints.append(
        .init(
          position: position, epoch: epoch, chain: chain, previous: previous, root: root,
          publicKey: publicKey, signature: signature))
    }
    for it in events {
      guard let position = it["position"]?.count,
        let bytes = it["publicPart"]?.text.flatMap({ parseBase64($0) }),
        let sealed = it["sealedDigest"]?.bytes(32).flatMap({ Digest(bytes: $0) }),
        let leaf = it["leaf"]?.bytes(32).flatMap({ Digest(bytes: $0) }),
        let checkpoint = it["checkpoint"]?.count, let hashes = it["path"]?.elements
      else { throw broken }
      let path = hashes.compactMap { $0.bytes(32).flatMap { Digest(bytes: $0) } }
      guard path.count == hashes.count else { throw broken }
      let record = PublicRecord(bytes: bytes, sealedDigest: sealed)
      guard record.leaf == leaf else {
        throw Broken(
          step: .leaf,
          what: "the leaf at position \(position) is not the hash of the event's parts")
      }
      self.events.append(
        Item(position: position, record: record, checkpoint: checkpoint, path: path))
    }
  }
}

extension JSONTree {
  /// The bytes of hexadecimal digits; nil if this is not a text of `count` bytes.
  fileprivate func bytes(_ count: Int) -> [UInt8]? {
    text.flatMap(parseHex).flatMap { $0.count == count ? $0 : nil }
  }
}

// MARK: Making

extension Replay {
  /// Makes the proof of one event, or of a request's end.
  ///
  /// - Parameters:
  ///   - target: As for `show`.
  ///   - all: For a request: all of its events, not its end alone.
  /// - Throws: `.notCovered` if no checkpoint covers an event yet, `.notFound`, `.damaged`, `.differs` if
  ///   the log is not what its checkpoint says.
  public static func prove(
    _ log: LogReader, _ target: String, all: Bool = false
  ) throws(InquiryFault) -> Proof {
    var proof = Proof(store: log.storeID, events: [], checkpoints: [])
    var leaves: [UInt64: [Digest]] = [:]
    for position in try positions(of: target, all: all, in: log) {
      guard let covering = try LogCheckpoint.covering(position, in: log) else {
        throw try LogCheckpoint.notCovered(position, in: log)
      }
      let fact = covering.fact
      if let bundle = log.bundle, fact.previous < bundle.base.rawValue {
        throw InquiryFault(
          .notCovered,
          "A proof of position \(position) needs every position from \(fact.previous + 1), and the bundle has them "
            + "from \(bundle.first) only. Ask the log that it was made of.")
      }
      if leaves[fact.position] == nil {
        guard covering.signer(store: log.storeID) != nil else {
          throw InquiryFault(
            .differs,
            "Checkpoint \(covering.place) is not signed with the key that it names. Ask `replay verify`."
          )
        }
        leaves[fact.position] = try span(of: covering, in: log)
        proof.checkpoints.append(fact)
      }
      let record = try reading { () throws(StoreError) in try log.publicRecord(at: position) }
      if record == nil, log.bundle != nil {
        throw InquiryFault(
          .notCovered,
          "What the bundle shows at position \(position) was altered (clients' addresses), so it proves nothing. "
            + "Ask the log that it was made of.")
      }
      guard let span = leaves[fact.position], let record else {
        throw InquiryFault(
          .damaged, "Position \(position) cannot be read: the log is damaged there.")
      }
      guard MerkleTree.root(of: span).bytes == fact.root else {
        throw InquiryFault(
          .differs,
          "The log is not what checkpoint \(covering.place) says of it. Ask `replay verify`.")
      }
      proof.events.append(
        Proof.Item(
          position: position.rawValue, record: record, checkpoint: fact.position,
          path: MerkleTree.path(
            toLeaf: Int(position.rawValue - fact.previous - 1), of: span)))
    }
    return proof
  }

  /// The leaves that a checkpoint covers.
  private static func span(
    of checkpoint: LogCheckpoint, in log: LogReader
  ) throws(InquiryFault) -> [Digest] {
    let (first, last) = (checkpoint.fact.previous + 1, checkpoint.fact.position)
    do throws(StoreError) {
      return try log.leaves(from: Position(first), through: Position(last))
    } catch {
      guard error.code == .damaged, let bad = error.position else { throw InquiryFault(error) }
      throw InquiryFault(
        .damaged,
        "Checkpoint \(checkpoint.place) covers positions \(first)…\(last), and a proof needs all of them: "
          + "position \(bad) cannot be read, the log is damaged there. Another copy of the log may be "
          + "whole: `replay verify --log`.")
    }
  }

  private static func positions(
    of target: String, all: Bool, in log: LogReader
  ) throws(InquiryFault) -> [Position] {
    let (position, requested) = try find(target, in: log)
    try log.requireCovered(position)
    let stored = try reading { () throws(StoreError) in try log.event(at: position) }
    guard let stored else {
      throw position > log.last || position == .origin
        ? InquiryFault(
          .notFound, "Position \(position) is not in this log. \(try LogCoverage(log).text)")
        : InquiryFault(.damaged, "Position \(position) cannot be read: the log is damaged there.")
    }
    // A place or an event id means that event, whatever it belongs to.
    guard requested != nil || all, case .request(let event) = Entry(stored).event,
      let id = event.requestID
    else { return [position] }
    let own = try reading { () throws(StoreError) in try log.positions(forKey: id.lookupKey) }
    if all { return own }
    for position in own {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      if let stored, case .request(.finished) = Entry(stored).event { return [position] }
    }
    try refuseIfDamaged("the end of request \(uuidText(id.rawValue))", behind: own.last, in: log)
    throw InquiryFault(
      .notFound,
      "Request \(uuidText(id.rawValue)) has no end in this log: it is under way, or was interrupted. "
        + "Prove what there is with --all.")
  }
}

/// What a proof shows, and what it does not; or the check that it does not pass.
public struct ProofVerdict: InquiryReport, Hashable {
  /// nil: a check failed.
  public var proof: Proof?
  /// The first check that failed.
  public var broken: Proof.Broken?
  /// The key that it was checked with.
  public var key: VerifyingKey

  /// 1 if a check failed.
  public var exitCode: ExitCode { broken == nil ? .same : .differs }

  /// What no proof can show.
  public static let limits =
    "It does not show that nothing else happened, nor that what was recorded was true: the recording "
    + "gateway and the key's holder are believed. Times are the gateway's own. When a checkpoint was "
    + "signed only a copy of it shows that was kept elsewhere since. And it is worth as much as the way "
    + "on which the public key came to you: not from the log, not from this document."
}

extension Replay {
  /// Checks a proof without the log.
  public static func checkProof(_ bytes: [UInt8], key: VerifyingKey) -> ProofVerdict {
    do throws(Proof.Broken) {
      // Bytes that are no text are no document either.
      let text = String(validating: bytes, as: UTF8.self) ?? ""
      return ProofVerdict(proof: try Proof(checking: text, key: key), broken: nil, key: key)
    } catch {
      return ProofVerdict(proof: nil, broken: error, key: key)
    }
  }
}

extension ProofVerdict {
  /// For people.
  public var text: String {
    guard let proof else {
      return "NOT PROVEN: \(broken?.step.rawValue ?? ""): \(Shown.text(broken?.what ?? ""))\n"
    }
    var out = "store      \(uuidText(proof.store))\n"
    out += "key        \(key.text)\n"
    for it in proof.events {
      guard let entry = it.entry else { continue }
      out +=
        "\nproven     position \(it.position) is, unchanged to the byte, what the holder of the key "
      out += "vouched for with checkpoint \(it.checkpoint)\n"
      out += "  event    \(Shown.text(entry.stored.kind)) \(uuidText(entry.stored.id.rawValue))"
      out += ", stream \(Shown.text(entry.stored.stream)) revision \(entry.stored.revision)\n"
      out += "  time     \(rfc3339(entry.time))\n"
      out += "  what     \(EventLine.text(entry, before: .initial))\n"
      let hasSealed = it.record.sealedDigest != Proof.noSealedPart
      if hasSealed {
        out += "  sealed   the event has a sealed part, which is not here; its SHA-256 is "
        out += "\(it.record.sealedDigest.text)\n"
      }
    }
    out += "\nlimits     \(ProofVerdict.limits)\n"
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("check-proof")), .init("isProven", .bool(broken == nil)),
      .init("key", .text(key.text)), .init("failedStep", .text(broken?.step.rawValue)),
      .init("why", .text(broken?.what)), .init("store", .text(proof.map { uuidText($0.store) })),
      .init(
        "events",
        .array(
          proof?.events.map { it in
            .object(
              [.init("position", .count(it.position)), .init("checkpoint", .count(it.checkpoint))]
                + (it.entry?.members.filter { $0.name != "at" && $0.name != "sealedBytes" } ?? []))
          } ?? [])), .init("limits", .text(ProofVerdict.limits)),
    ])
  }
}

extension Proof {
  /// SHA-256 of nothing.
  fileprivate static let noSealedPart = Digest(
    words: (
      0xE3B0_C442_98FC_1C14, 0x9AFB_F4C8_996F_B924, 0x27AE_41E4_649B_934C, 0xA495_991B_7852_B855
    ))
}
