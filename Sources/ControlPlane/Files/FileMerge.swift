import ConfigFile
public import Domain
import EventStore
import Inquiry

/// Something that was edited elsewhere since a file set it, and that a file leaves as it is.
public struct KeptElsewhere: Sendable, Hashable {
  /// Whose it is.
  public var stream: String
  /// For people: `alias fast`.
  public var title: String
  /// nil: whether the resource is there at all.
  public var field: String?
  /// As the log has it; `none` if the resource is not there.
  public var log: Image.Value
  /// As the file has it.
  public var file: Image.Value
  /// Who made it so; nil: it follows from something else that was left.
  public var writer: StreamFold.Writer?
}

/// Who set what last, by the log, of streams as they stand at a revision.
struct WriterBook: Sendable {
  private var pages: [String: (revision: UInt64, fold: StreamFold)] = [:]

  /// nil: the stream must be read first.
  func fold(_ stream: String, at revision: UInt64) -> StreamFold? {
    pages[stream].flatMap { $0.revision == revision ? $0.fold : nil }
  }

  /// Reads streams whole; blocks on the disk.
  mutating func read(_ streams: Set<String>, _ log: LogReader) throws {
    for stream in streams {
      guard let subject = Subject(stream: stream) else { continue }
      let (fold, end) = try Replay.fold(of: subject, in: log)
      pages[stream] = (end.revision, fold)
    }
  }
}

/// What applying a file comes to, once what was edited elsewhere is left as it is.
///
/// A field that somebody else set last keeps its value; a resource that somebody else removed is not brought
/// back; one that came back after the file removed it stays. `overwrite` takes the file's word for all.
struct FileMerge: Sendable {
  /// What to command, with the secrets of the file.
  private(set) var changes: [Change] = []
  /// What the file would set, and others set last.
  private(set) var kept: [KeptElsewhere] = []
  /// The configuration then.
  private(set) var outcome: ControlState

  /// These streams must be read first.
  struct Unread: Error {
    var streams: Set<String>
  }

  /// - Throws: `Refusal` where the rules would refuse the file as it is, `Unread`.
  init(
    _ rows: [PlannedChange], _ state: ControlState, _ book: WriterBook, overwrite: Bool
  ) throws {
    let all = rows.compactMap { row in
      row.command.map { Change($0, secret: row.secret.map { Secret($0) }) }
    }
    let wanted = try state.after(all.map(\.command))
    outcome = wanted
    changes = all
    var unread: Set<String> = []
    var choices: [String: Choice] = [:]
    for change in all where choices[change.command.stream] == nil {
      let stream = change.command.stream
      do throws(Unread) {
        choices[stream] = try choice(stream, change.command, state, wanted, book)
      } catch {
        unread.formUnion(error.streams)
      }
    }
    var held: Set<AccountID> = []
    for case .account(.issueCredential(let id, let terms)) in all.map(\.command) {
      do throws(Unread) {
        guard let writer = try issuer(of: id, state, book) else { continue }
        // What a refresh brought in is newer than any file, whoever overwrites.
        if overwrite, writer.provenance.source != .system { continue }
        held.insert(id)
        kept.append(
          KeptElsewhere(
            stream: id.credentialStream, title: state.title(of: .account(id)),
            field: "credential",
            log: Image.Value(state.accounts[id]?.credential.fingerprint?.short),
            file: .text(terms.fingerprint.short), writer: writer))
      } catch {
        unread.formUnion(error.streams)
      }
    }
    var clients: Set<ProviderID> = []
    for case .provider(.setOAuth(let id, let client)) in all.map(\.command) where !overwrite {
      guard let old = state.providers[id],
        let fold = book.fold(id.stream, at: state.revision(ofStream: id.stream)),
        let writer = fold.writers["oauth"], writer.provenance.source != .file
      else { continue }
      clients.insert(id)
      kept.append(
        KeptElsewhere(
          stream: id.stream, title: state.title(of: .provider(id)), field: "oauth",
          log: old.oauth?.imageValue ?? .none, file: client?.imageValue ?? .none, writer: writer))
    }
    guard unread.isEmpty else { throw Unread(streams: unread) }
    if overwrite { kept.removeAll { $0.field != "credential" } }
    guard !kept.isEmpty else { return }
    if !overwrite { changes = Self.chosen(all, choices, state) }
    changes.removeAll { change in
      switch change.command {
      case .account(.issueCredential(let id, _)): held.contains(id)
      case .provider(.setOAuth(let id, _)): clients.contains(id)
      case _: false
      }
    }
    let isMissing = kept.contains { $0.field == nil }
    outcome = state
    changes = try changes.filter { change in
      do throws(Refusal) {
        try outcome.perform(change.command)
        return true
      } catch {
        // The whole was not refused, so this rests on what was left out.
        guard isMissing else { throw error }
        leave(change.command.stream, wanted, writer: nil)
        return false
      }
    }
  }

  /// Who issued the credential in force, if it was not the file and there is one.
  private func issuer(
    of id: AccountID, _ state: ControlState, _ book: WriterBook
  ) throws(Unread) -> StreamFold.Writer? {
    let revision = state.revision(ofStream: id.credentialStream)
    guard revision > 0, state.accounts[id]?.credential.fingerprint != nil else { return nil }
    guard let fold = book.fold(id.credentialStream, at: revision) else {
      throw Unread(streams: [id.credentialStream])
    }
    let writer = fold.writers["credentialGeneration"]
    return writer?.provenance.source == .file ? nil : writer
  }

  /// What becomes of the file's commands for one stream.
  private enum Choice {
    case all
    case nothing
    case instead(Subject, Image)
  }

  private mutating func choice(
    _ stream: String, _ command: Command, _ state: ControlState, _ wanted: ControlState,
    _ book: WriterBook
  ) throws(Unread) -> Choice {
    // An explicit removal of a key is the file's to say: there is no other way to take one away.
    if case .key(.revoke) = command { return .all }
    guard let subject = Subject(stream: stream) else { return .all }
    let (before, after) = (state.image(of: subject), wanted.image(of: subject))
    var needed = Self.twins(of: command, state).union([stream])
      .filter { state.revision(ofStream: $0) > 0 }
    var folds: [String: StreamFold] = [:]
    for stream in needed {
      folds[stream] = book.fold(stream, at: state.revision(ofStream: stream))
    }
    needed.subtract(folds.keys)
    guard needed.isEmpty else { throw Unread(streams: needed) }
    let fold = folds[stream]
    switch (before, after) {
    case (nil, _):
      let removals = folds.values.filter { $0.image == nil }.compactMap(\.presence)
      guard let removal = removals.max(by: { $0.position < $1.position }),
        removal.provenance.source != .file
      else { return .all }
      leave(stream, wanted, writer: removal)
      return .nothing
    case (_, nil):
      guard let fold, fold.wasRemovedByFile, let back = fold.presence,
        back.provenance.source != .file
      else { return .all }
      leave(stream, state, writer: back)
      return .nothing
    case (let before?, let after?):
      let differences = Image.difference(before, after).filter {
        $0.isSettable || $0.field == Settings.cloudTokenField
      }
      let foreign = differences.filter { difference in
        fold?.writers[difference.field].map { $0.provenance.source != .file } ?? false
      }
      if foreign.isEmpty { return .all }
      for difference in foreign {
        kept.append(
          KeptElsewhere(
            stream: stream, title: state.title(of: subject), field: difference.field,
            log: difference.before, file: difference.after,
            writer: fold?.writers[difference.field]))
      }
      return .instead(subject, after.keeping(Set(foreign.map(\.field)), of: before))
    }
  }

  private mutating func leave(
    _ stream: String, _ state: ControlState, writer: StreamFold.Writer?
  ) {
    let title = Subject(stream: stream).map { state.title(of: $0) } ?? stream
    guard !kept.contains(where: { $0.stream == stream && $0.field == nil }) else { return }
    kept.append(
      KeptElsewhere(
        stream: stream, title: title, field: nil, log: .none, file: .none, writer: writer))
  }

  /// Streams of accounts that had the name at the provider before, under other ids.
  private static func twins(of command: Command, _ state: ControlState) -> Set<String> {
    guard case .account(.add(let added, _)) = command else { return [] }
    return Set(
      state.removedAccounts.values
        .filter { $0.provider == added.provider && $0.name == added.name }.map(\.id.stream))
  }

  private static func chosen(
    _ all: [Change], _ choices: [String: Choice], _ state: ControlState
  ) -> [Change] {
    var made: Set<String> = []
    return all.flatMap { change -> [Change] in
      let stream = change.command.stream
      switch choices[stream] {
      case .all, nil: return [change]
      case .nothing: return []
      case .instead(let subject, let image):
        // These are no fields that an image sets: who made the last one decides, see `init`.
        let own: [Change] =
          switch change.command {
          case .account(.issueCredential), .provider(.setOAuth): [change]
          // The token is set where the image has the file's.
          case .settings(.setCloudToken(let token))
          where image[Settings.cloudTokenField] == .text(token.short): [change]
          case _: []
          }
        guard made.insert(stream).inserted else { return own }
        return state.reversal(toward: [(subject, image)]).commands.map { Change($0) } + own
      }
    }
  }
}
