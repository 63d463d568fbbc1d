public import Domain
import EventStore

/// What, beyond the log itself, says that the log is what it was.
///
/// An anchor is a checkpoint that was kept elsewhere. A checkpoint in the log whose key came from
/// elsewhere is worth less: nobody without the key made it, but it can be cut off with what follows.
/// One whose key is known from the log alone shows accidents only.
public struct Anchoring: Sendable, Hashable {
  /// The strongest thing that can be said.
  public enum Verdict: String, Sendable, CaseIterable {
    /// An anchor or a checkpoint does not fit the log, or a signature its key.
    case failed
    /// An anchor fits.
    case anchored
    /// Checkpoints fit, under a key that was given.
    case signed
    /// Checkpoints fit, under a key that only the log names.
    case selfSigned = "self_signed"
    /// There is nothing to hold the log against.
    case none
  }

  /// A range that something vouches for.
  public struct Reach: Sendable, Hashable {
    /// From here: before it, or before a damaged part that cannot be bridged, other things vouch.
    public var first: UInt64
    /// Through here.
    public var last: UInt64
    /// `epoch:position` of the last event.
    public var place: String
    /// Its time, by the author's clock; nil if it cannot be read.
    public var time: UnixNanoseconds?
  }

  /// How far an anchor's own signature can be believed.
  public enum Signature: Sendable, Hashable {
    /// Valid under a key that was given; its hexadecimal digits.
    case given(String)
    /// Valid under a key that the log names; its hexadecimal digits.
    case selfNamed(String)
    /// No key at hand has its id.
    case unchecked
    /// A key at hand has its id, or must have, and did not sign this.
    case invalid
  }

  /// One anchor.
  public struct Anchor: Sendable, Hashable {
    /// The file's name, as given.
    public var name: String
    /// `epoch:position` of what it covers.
    public var place: String
    /// Position of what it covers.
    public var position: UInt64
    /// Whose signature it bears.
    public var signature: Signature
    /// What does not fit, in words; nil: everything does.
    public var fault: String?
    /// Why it says nothing about the range, in words; nil: it does.
    public var remark: String?
  }

  /// A key that signed checkpoints in the range.
  public struct Signer: Sendable, Hashable {
    /// 64 hexadecimal digits.
    public var key: String
    /// Whether it came from outside the log.
    public var isGiven: Bool
    /// Checkpoints that fit the log.
    public var checkpoints: UInt64
    /// What they vouch for.
    public var reach: Reach?
  }

  /// In the order given.
  public var anchors: [Anchor] = []
  /// In the order of their first checkpoint.
  public var signers: [Signer] = []
  /// What an anchor vouches for; the greatest.
  public var anchored: Reach?
  /// Checkpoints that do not fit, and what else is wrong; at most 10 are named.
  public var faults: [String] = []
  /// How many there are.
  public var faultCount: UInt64 = 0
  /// What is noteworthy and no fault; at most 10.
  public var remarks: [String] = []
  /// The first position of the range's end that nothing covers; nil: all is covered.
  public var openFrom: UInt64?
  /// The last position of the range.
  public var last: UInt64 = 0
  /// The greatest position that an anchor vouches for and the log does not have.
  public var missingThrough: UInt64?

  /// The strongest thing that can be said.
  public var verdict: Verdict {
    if faultCount > 0 || anchors.contains(where: { $0.fault != nil }) { return .failed }
    if anchored != nil { return .anchored }
    if signers.contains(where: { $0.isGiven && $0.reach != nil }) { return .signed }
    return signers.contains { $0.reach != nil } ? .selfSigned : .none
  }

  mutating func fault(_ text: String) {
    faultCount += 1
    if faults.count < 10 { faults.append(text) }
  }

  mutating func remark(_ text: String) { if remarks.count < 10 { remarks.append(text) } }
}

/// Gathers the checkpoints of a range and judges them when the range was read.
struct AnchoringCheck {
  private(set) var checkpoints: [LogCheckpoint] = []

  mutating func apply(_ entry: Entry) {
    if let checkpoint = LogCheckpoint(entry) { checkpoints.append(checkpoint) }
  }

  /// - Parameter gaps: damaged places of the range: what lies before one is not bound to what lies
  ///   behind it.
  func judge(
    _ log: LogReader, range: Range<UInt64>, isToEnd: Bool, gaps: [LogGap],
    anchors: [(name: String, note: CheckpointNote)], keys: [VerifyingKey]
  ) throws(InquiryFault) -> Anchoring {
    var out = Anchoring()
    out.last = range.upperBound - 1
    var compare = StatementCheck(log)
    func reach(_ position: UInt64, _ epoch: UInt64) throws(InquiryFault) -> Anchoring.Reach {
      let event = try reading { () throws(StoreError) in try log.event(at: Position(position)) }
      let after = gaps.map { ($0.last ?? max($0.first, Position(1))).rawValue }
        .filter { $0 < position }.max()
      return Anchoring.Reach(
        first: max(range.lowerBound, (after ?? 0) + 1), last: position,
        place: "\(epoch):\(position)",
        time: event.map { UnixNanoseconds($0.time) })
    }
    try judgeCheckpoints(&out, log, range, keys, &compare, reach)
    for (name, note) in anchors {
      let (anchor, isBeyond) = try judge(name, note, log, range, keys, &compare)
      if isBeyond { out.missingThrough = max(out.missingThrough ?? 0, note.fact.position) }
      if anchor.fault == nil, anchor.remark == nil, anchor.position > out.anchored?.last ?? 0 {
        out.anchored = try reach(note.fact.position, note.fact.epoch)
      }
      out.anchors.append(anchor)
    }
    if !keys.isEmpty, range.lowerBound == 1, isToEnd, !out.signers.contains(where: { $0.isGiven }) {
      out.fault("no checkpoint in the log is signed with the key that you gave")
    }
    let covered = max(out.anchored?.last ?? 0, out.signers.compactMap { $0.reach?.last }.max() ?? 0)
    if !range.isEmpty, covered + 1 < range.upperBound {
      out.openFrom = max(range.lowerBound, covered + 1)
    }
    return out
  }

  private func judgeCheckpoints(
    _ out: inout Anchoring, _ log: LogReader, _ range: Range<UInt64>, _ keys: [VerifyingKey],
    _ compare: inout StatementCheck,
    _ reach: (UInt64, UInt64) throws(InquiryFault) -> Anchoring.Reach
  ) throws(InquiryFault) {
    var covered: UInt64? = range.lowerBound == 1 ? 0 : nil
    var signing: VerifyingKey?
    for it in checkpoints {
      guard it.fact.position < it.position else {
        out.fault("checkpoint \(it.place) covers what stands behind it")
        continue
      }
      guard it.fact.position >= range.lowerBound else { continue }
      guard let key = it.signer(store: log.storeID) else {
        out.fault("checkpoint \(it.place): its signature is not one of the key that it names")
        continue
      }
      let isGiven = keys.contains(key)
      if !keys.isEmpty, !isGiven {
        out.fault(
          "checkpoint \(it.place) is signed with the key \(key.text), which you did not give")
        continue
      }
      if let before = covered {
        if it.fact.previous < before {
          out.fault("checkpoint \(it.place) covers again what another one covers")
          continue
        }
        if it.fact.previous > before {
          out.remark(
            "checkpoint \(it.place) passes over positions \(before + 1)…\(it.fact.previous), as it does "
              + "where these cannot be read: no proof can be made of them")
        }
      }
      covered = it.fact.position
      if let before = signing, before != key {
        out.remark(
          "from checkpoint \(it.place) on another key signs, \(key.text); that its holder is the one of "
            + "before is not shown by the log")
      }
      signing = key
      switch try compare.compare(it.fact) {
      case .same:
        let index =
          out.signers.firstIndex { $0.key == key.text }
          ?? {
            out.signers.append(.init(key: key.text, isGiven: isGiven, checkpoints: 0, reach: nil))
            return out.signers.count - 1
          }()
        out.signers[index].checkpoints += 1
        out.signers[index].reach = try reach(it.fact.position, it.fact.epoch)
      case .differs(let what), .beyond(let what): out.fault("checkpoint \(it.place): \(what)")
      case .unreadable(let what): out.remark("checkpoint \(it.place) cannot be compared: \(what)")
      }
    }
  }

  private func judge(
    _ name: String, _ note: CheckpointNote, _ log: LogReader, _ range: Range<UInt64>,
    _ keys: [VerifyingKey], _ compare: inout StatementCheck
  ) throws(InquiryFault) -> (anchor: Anchoring.Anchor, isBeyond: Bool) {
    var anchor = Anchoring.Anchor(
      name: name, place: "\(note.fact.epoch):\(note.fact.position)", position: note.fact.position,
      signature: signature(note, keys), fault: nil, remark: nil)
    guard note.store == log.storeID else {
      anchor.fault = "it speaks of another log, \(uuidText(note.store))"
      return (anchor, false)
    }
    // What somebody made up says nothing of the log.
    if anchor.signature == .invalid {
      anchor.fault =
        keys.isEmpty
        ? "it was changed: its signature is not one of the key that it names"
        : "it is not signed with the key that you gave, or was changed"
      return (anchor, false)
    }
    switch try compare.compare(note.fact) {
    case .same:
      if !range.contains(note.fact.position) {
        anchor.remark = "it vouches for a position outside the range"
      }
    case .differs(let what): anchor.fault = what
    case .unreadable(let what): anchor.remark = "it cannot be compared: \(what)"
    case .beyond(let what):
      anchor.fault = what
      return (anchor, true)
    }
    return (anchor, false)
  }

  private func signature(_ note: CheckpointNote, _ keys: [VerifyingKey]) -> Anchoring.Signature {
    if !keys.isEmpty {
      return keys.first { note.isSigned(by: $0) }.map { .given($0.text) } ?? .invalid
    }
    let name = GatewayEvent.CheckpointSigned.origin(store: note.store)
    var seen: Set<VerifyingKey> = []
    for it in checkpoints {
      guard let key = VerifyingKey(bytes: it.fact.publicKey), seen.insert(key).inserted,
        key.noteID(name: name) == note.keyID
      else { continue }
      return note.isSigned(by: key) ? .selfNamed(key.text) : .invalid
    }
    return .unchecked
  }
}

extension Anchoring {
  /// What is shown and what cannot be, in whole sentences.
  public var limits: String {
    switch verdict {
    case .failed:
      return
        "Something that vouches for this log does not agree with it: the log, the anchor or the "
        + "key is not what it was. Compare with another copy, and with other anchors."
    case .none, .selfSigned:
      return "The log is not anchored outside its directory. Its chain"
        + (verdict == .none
          ? " shows" : " and its signatures, under a key that only the log itself names, show")
        + " accidents and careless changes. Nothing here can show that somebody who can write the "
        + "directory made the whole log anew, nor that events were cut off its end: it "
        + "would look the same. Keep a checkpoint elsewhere (`replay checkpoint`) and give it with --anchor; "
        + "take the key from `signalbox checkpoint --public-key` and give it with --public-key."
    case .signed:
      return
        "What is signed is what the log held when it was signed: nobody without the key could have "
        + "changed it since. The signatures cannot show that something was changed before, that "
        + "events behind a checkpoint were cut off together with it, nor that the key's holder "
        + "signed another history instead. Keep a checkpoint elsewhere (`replay checkpoint`) and give it "
        + "with --anchor."
    case .anchored:
      return
        "Through the last anchored position the log is the one that the anchor was made of. The "
        + "anchor cannot show what happened to later events: whoever holds the key could have changed "
        + "them and signed again, anybody who can write the directory could have cut them off. And "
        + "nothing can show that what was recorded was true."
    }
  }

  var text: String {
    var out = "anchoring  \(headline)\n"
    for it in anchors {
      var line = "  anchor   \(Shown.text(it.name)): \(it.place)"
      switch it.signature {
      case .given(let key): line += ", signed with the key you gave, \(key)"
      case .selfNamed(let key): line += ", signed with the key that the log names, \(key)"
      case .unchecked:
        line += ", signature not checked: no key at hand has its id; give --public-key"
      case .invalid: line += ", signature not valid"
      }
      if let fault = it.fault { line += "; DIFFERS: \(Shown.text(fault))" }
      if let remark = it.remark { line += "; \(Shown.text(remark))" }
      out += line + "\n"
    }
    for it in signers {
      out +=
        "  signed   \(it.reach?.text ?? "nothing") by \(Shown.count(it.checkpoints, "checkpoint")) "
      out += "with the key \(it.isGiven ? "you gave" : "that the log names"), \(it.key)\n"
    }
    for it in faults { out += "  fault    \(it)\n" }
    if faultCount > UInt64(faults.count) { out += "  fault    \(faultCount) in all\n" }
    for it in remarks { out += "  note     \(it)\n" }
    if let openFrom {
      out +=
        openFrom == last
        ? "  open     nothing covers position \(last)\n"
        : "  open     nothing covers positions \(openFrom)…\(last)\n"
    }
    return out
  }

  private var headline: String {
    switch verdict {
    case .failed: return "FAILED"
    case .anchored: return "ok: anchored from outside, \(anchored?.text ?? "")"
    case .signed: return "signed: no anchor, but checkpoints under a key from outside"
    case .selfSigned: return "self-signed only: no anchor, and no key from outside"
    case .none: return "none: no anchor and no checkpoint vouches for the range"
    }
  }

  var json: JSONTree {
    .object([
      .init("verdict", .text(verdict.rawValue)), .init("anchored", anchored?.json ?? .null),
      .init(
        "anchors",
        .array(
          anchors.map { it in
            let (word, key): (String, String?) =
              switch it.signature {
              case .given(let key): ("given_key", key)
              case .selfNamed(let key): ("key_from_log", key)
              case .unchecked: ("not_checked", nil)
              case .invalid: ("invalid", nil)
              }
            return .object([
              .init("name", .text(it.name)), .init("at", .text(it.place)),
              .init("signature", .text(word)), .init("key", .text(key)),
              .init("fault", .text(it.fault)), .init("remark", .text(it.remark)),
            ])
          })),
      .init(
        "signers",
        .array(
          signers.map {
            .object([
              .init("key", .text($0.key)), .init("isGiven", .bool($0.isGiven)),
              .init("checkpoints", .count($0.checkpoints)), .init("range", $0.reach?.json ?? .null),
            ])
          })),
      .init("faults", EventFields.texts(faults)), .init("faultCount", .count(faultCount)),
      .init("remarks", EventFields.texts(remarks)), .init("openFrom", .count(openFrom)),
      .init("missingThrough", .count(missingThrough)),
    ])
  }
}

extension Anchoring.Reach {
  fileprivate var text: String {
    "positions \(first)…\(last)" + (time.map { " (through \(rfc3339($0)))" } ?? "")
  }

  fileprivate var json: JSONTree {
    .object([
      .init("first", .count(first)), .init("last", .count(last)), .init("at", .text(place)),
      .init("time", .text(time.map { rfc3339($0) })),
    ])
  }
}
