/// Facts in `sync/<peer>`: what was exchanged with another system, and what was decided about it.
public enum SyncEvent: Sendable, Hashable {
  case enabled(Enabled)
  case disabled(Disabled)
  case pushed(Exchanged)
  case received(Exchanged)
  case reconciled(Reconciled)
  case mirrored(Mirrored)
  case candidateKept(CandidateKept)
  case candidateRefused(CandidateRefused)
  case conflict(Conflict)
  case failed(Failed)
  case lifeBegan(LifeBegan)
  case forgotten(Forgotten)

  /// A first exchange with the peer was verified; others follow by themselves.
  public struct Enabled: Sendable, Hashable {
    /// The other system's name: its node, or `cloud` as long as that is not known; 1…64 bytes.
    public var peer: String
    /// Where it is, without any secret.
    public var url: String

    /// Made of its parts.
    public init(peer: String, url: String) {
      self.peer = peer
      self.url = url
    }
  }

  /// Nothing more is exchanged with the peer by itself.
  public struct Disabled: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// What the peer said to that.
    public var farewell: Farewell

    /// Made of its parts.
    public init(peer: String, farewell: Farewell) {
      self.peer = peer
      self.farewell = farewell
    }
  }

  /// What became of the other side's copy when sync ended.
  public enum Farewell: UInt8, Sendable, Hashable, CaseIterable {
    /// It confirmed that it keeps none.
    case removed = 1
    /// It is a node of its own: both know that it is over, and each keeps what it has.
    case told = 2
    /// It confirmed nothing: it is asked again.
    case owed = 3
  }

  /// A document went to the peer or came from it.
  public struct Exchanged: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// What both sides of one exchange call it.
    public var exchange: UInt128
    /// Resources told of, removed ones included.
    public var streams: UInt64
    /// Credentials told of.
    public var credentials: UInt64
    /// The sender's wall clock.
    public var clock: UnixNanoseconds
    /// Under which token of ours it came; nil: it went there, or came as an answer.
    public var token: SyncTokenID?

    /// Made of its parts.
    public init(
      peer: String, exchange: UInt128, streams: UInt64, credentials: UInt64,
      clock: UnixNanoseconds, token: SyncTokenID? = nil
    ) {
      self.peer = peer
      self.exchange = exchange
      self.streams = streams
      self.credentials = credentials
      self.clock = clock
      self.token = token
    }
  }

  /// Everything that one exchange decided here; the changes themselves stand before it in the same batch.
  public struct Reconciled: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// See `Exchanged.exchange`.
    public var exchange: UInt128
    /// Each field whose edit is not the one that was known here before.
    public var decisions: [Decision]
    /// What nodes agree on and what cannot be so here: where that is new or otherwise than before.
    public var withheld: [Withheld]
    /// Streams of which nothing is withheld any more, sorted.
    public var settled: [String]
    /// Edits of the peer that are not taken yet, and our own that the peer does not take: the new ones.
    public var waiting: [Waiting]
    /// Which edits of the peer wait no more.
    public var arrived: [Place]
    /// Generations that credentials had elsewhere and must not have again.
    public var floors: [Floor]
    /// How many resources a whole document of the peer tells of; 0: this was only a part of it.
    public var streams: UInt64
    /// As older builds wrote it: `withheld` and `waiting` are all there is, whenever it came.
    public var isWhole: Bool

    /// Made of its parts; what is left out is as when nothing changed.
    public init(
      peer: String, exchange: UInt128, decisions: [Decision] = [], withheld: [Withheld] = [],
      settled: [String] = [], waiting: [Waiting] = [], arrived: [Place] = [], floors: [Floor] = [],
      streams: UInt64 = 0, isWhole: Bool = false
    ) {
      self.peer = peer
      self.exchange = exchange
      self.decisions = decisions
      self.withheld = withheld
      self.settled = settled
      self.waiting = waiting
      self.arrived = arrived
      self.floors = floors
      self.streams = streams
      self.isWhole = isWhole
    }
  }

  /// A field of a resource.
  public struct Place: Sendable, Hashable, Comparable {
    /// Whose.
    public var stream: String
    /// By the name that answers give it; empty: the whole resource.
    public var field: String

    /// Made of its parts.
    public init(stream: String, field: String) {
      self.stream = stream
      self.field = field
    }

    /// By stream, then field.
    public static func < (a: Self, b: Self) -> Bool {
      (a.stream, a.field) < (b.stream, b.field)
    }
  }

  /// Whose edit of a field holds, and why.
  public struct Decision: Sendable, Hashable {
    /// Whose field it is.
    public var stream: String
    /// By the name that answers give it; empty: whether the resource is there.
    public var field: String
    /// As it was here.
    public var ours: Image.Value
    /// As the peer has it.
    public var theirs: Image.Value
    /// Of the last edit that both had seen; nil: none is known.
    public var base: HybridStamp?
    /// Of the edit that holds.
    public var version: FieldVersion
    /// Whose it is.
    public var winner: Winner
    /// Why.
    public var rule: Rule

    /// Made of its parts.
    public init(
      stream: String, field: String, ours: Image.Value, theirs: Image.Value, base: HybridStamp?,
      version: FieldVersion, winner: Winner, rule: Rule
    ) {
      self.stream = stream
      self.field = field
      self.ours = ours
      self.theirs = theirs
      self.base = base
      self.version = version
      self.winner = winner
      self.rule = rule
    }

    /// Somebody's edit does not hold although nobody took it back.
    public var isConflict: Bool {
      switch rule {
      case .concurrent, .removed, .final: ours != theirs
      case .new, .successor, .same, .renewed: false
      }
    }
  }

  /// Who has the edit that holds.
  public enum Winner: UInt8, Sendable, Hashable, CaseIterable {
    case ours = 1
    case theirs = 2

    /// As shown.
    public var name: String {
      switch self {
      case .ours: "ours"
      case .theirs: "theirs"
      }
    }
  }

  /// Why an edit holds.
  public enum Rule: UInt8, Sendable, Hashable, CaseIterable {
    /// Nothing was known of it here.
    case new = 1
    /// It was made by somebody who had seen the other one.
    case successor = 2
    /// Neither author had seen the other's edit: the later one holds.
    case concurrent = 3
    /// Both made it so.
    case same = 4
    /// The resource was removed by somebody who had not seen the edit.
    case removed = 5
    /// A revoked key stays revoked.
    case final = 6
    /// It was made while a clock was far ahead, which it is no longer: the same again, as an edit of now.
    case renewed = 7

    /// As shown.
    public var name: String {
      switch self {
      case .new: "new"
      case .successor: "successor"
      case .concurrent: "concurrent"
      case .same: "same"
      case .removed: "removed"
      case .final: "final"
      case .renewed: "renewed"
      }
    }
  }

  /// What nodes agree on and what cannot be so here: another resource stands in the way.
  public struct Withheld: Sendable, Hashable {
    /// Whose it is.
    public var stream: String
    /// It is or is not there, and here it is the other way round; nil: that is as it should be.
    public var isPresent: Bool?
    /// What the fields should be that are not so.
    public var fields: [Image.Member]
    /// What stands in the way, as one sentence.
    public var reason: String

    /// Made of its parts.
    public init(stream: String, isPresent: Bool?, fields: [Image.Member], reason: String) {
      self.stream = stream
      self.isPresent = isPresent
      self.fields = fields
      self.reason = reason
    }
  }

  /// An edit of the peer's that is not taken here, or one of ours that the peer does not take.
  ///
  /// Its clock is too far ahead, until that time comes; or the rules of this build refuse its value, until another edit or
  /// another build comes.
  public struct Waiting: Sendable, Hashable {
    /// Whose edit it is about.
    public var stream: String
    /// Which field; empty: the whole resource.
    public var field: String
    /// As the author's clock said.
    public var stamp: HybridStamp
    /// Why the rules refuse it, as one sentence; empty: its clock is ahead.
    public var reason: String

    /// Made of its parts.
    public init(stream: String, field: String, stamp: HybridStamp, reason: String = "") {
      self.stream = stream
      self.field = field
      self.stamp = stamp
      self.reason = reason
    }

    /// Where it is.
    public var place: Place { Place(stream: stream, field: field) }
  }

  /// How far the generations of an account's credential had come elsewhere; none is in force here.
  public struct Floor: Sendable, Hashable {
    /// Whose credential.
    public var account: AccountID
    /// The last one elsewhere.
    public var version: Credential.Version

    /// Made of its parts.
    public init(account: AccountID, version: Credential.Version) {
      self.account = account
      self.version = version
    }
  }

  /// Two credentials that were made where neither author knew of the other one.
  public struct Conflict: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// Whose credential.
    public var account: AccountID
    /// The higher one's.
    public var homeEpoch: UInt64
    /// The higher one's; that holds.
    public var generation: UInt64
    /// Of the one here.
    public var ours: Fingerprint
    /// Of the peer's; nil: nothing but whose it was is known here, for it gave way elsewhere.
    public var theirs: Fingerprint?
    /// The one that gave way, for its generation was the lower one; nil: neither, and an operator has to choose.
    public var lost: Lost?
    /// What the peer's stands on, as long as neither gave way.
    public var rival: Ancestry?

    /// A secret that is in force no more though nobody who knew of it made the one that is.
    public struct Lost: Sendable, Hashable {
      /// Which of the two.
      public var whose: Winner
      /// Who made it; nil: that is not known.
      public var origin: Ancestry.Origin?

      /// Made of its parts.
      public init(whose: Winner, origin: Ancestry.Origin?) {
        self.whose = whose
        self.origin = origin
      }
    }

    /// Made of its parts.
    public init(
      peer: String, account: AccountID, homeEpoch: UInt64, generation: UInt64, ours: Fingerprint,
      theirs: Fingerprint?, lost: Lost? = nil, rival: Ancestry? = nil
    ) {
      self.peer = peer
      self.account = account
      self.homeEpoch = homeEpoch
      self.generation = generation
      self.ours = ours
      self.theirs = theirs
      self.lost = lost
      self.rival = rival
    }
  }

  /// An exchange came to nothing; nothing was changed by it.
  public struct Failed: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// What was tried: `enable`, `sync`, `disable`, `serve`.
    public var action: String
    /// As a stable word; never the peer's text.
    public var code: String
    /// What stood in the way; nil: nothing of the configuration did.
    public var about: About?

    /// Made of its parts.
    public init(peer: String, action: String, code: String, about: About? = nil) {
      self.peer = peer
      self.action = action
      self.code = code
      self.about = about
    }

    /// Where in the configuration an exchange came to nothing.
    public struct About: Sendable, Hashable {
      /// The resource; empty: all of them.
      public var stream: String
      /// Its field; empty: the whole resource.
      public var field: String
      /// How many resources were told of, and how many before that.
      public var counts: Counts?

      /// Made of its parts.
      public init(stream: String = "", field: String = "", counts: Counts? = nil) {
        self.stream = stream
        self.field = field
        self.counts = counts
      }
    }

    /// Of resources.
    public struct Counts: Sendable, Hashable {
      /// In this exchange.
      public var told: UInt64
      /// The most in one before.
      public var before: UInt64

      /// Made of its parts.
      public init(told: UInt64, before: UInt64) {
        self.told = told
        self.before = before
      }
    }
  }

  /// The peer tells from a data directory of which nothing was known here.
  ///
  /// The first one, or a copy or backup of that; from now on what the one before it tells is not taken.
  public struct LifeBegan: Sendable, Hashable {
    /// The other system's name.
    public var peer: String
    /// Of the directory.
    public var incarnation: UInt64

    /// Made of its parts.
    public init(peer: String, incarnation: UInt64) {
      self.peer = peer
      self.incarnation = incarnation
    }
  }

  /// An operator wants nothing remembered of the peer; its events stay in the log.
  public struct Forgotten: Sendable, Hashable {
    /// The other system's name.
    public var peer: String

    /// Made of its parts.
    public init(peer: String) { self.peer = peer }
  }

  /// The other system's name.
  public var peer: String {
    switch self {
    case .enabled(let it): it.peer
    case .disabled(let it): it.peer
    case .pushed(let it), .received(let it): it.peer
    case .reconciled(let it): it.peer
    case .mirrored(let it): it.peer
    case .candidateKept(let it): it.peer
    case .candidateRefused(let it): it.peer
    case .conflict(let it): it.peer
    case .failed(let it): it.peer
    case .lifeBegan(let it): it.peer
    case .forgotten(let it): it.peer
    }
  }
}

/// What is to be noted about an exchange; nothing of it can be refused.
public enum SyncCommand: Sendable, Hashable {
  case note(SyncEvent)
}

/// The stream of what is exchanged with a peer.
public func syncStream(_ peer: String) -> String { "sync/" + peer }
