import Domain

/// What the fields of one resource were, one value after the other, and who gave them.
struct FieldHistory {
  /// A value and the event that gave it.
  struct Setting: Hashable {
    var value: Image.Value
    var writer: StreamFold.Writer
    /// In the stream.
    var revision: UInt64
  }

  /// What one event did to one field.
  struct Change {
    var field: String
    /// What the field was, and who had set it; nil: nobody had.
    var before: Setting?
    var after: Setting
    /// The newest of its earlier settings, before `before`, that had the new value; nil: it is a new one.
    var original: Setting?
    /// The last settings, this one included, oldest first.
    var recent: ArraySlice<Setting>
  }

  private var fold: StreamFold
  private var settings: [String: [Setting]] = [:]
  /// Older settings of a field are forgotten.
  private static let settingsMax = 256
  /// By author, the last revision of the stream that is theirs: what they have seen at least.
  private(set) var lastRevisions: [Author: UInt64] = [:]

  init(_ subject: Subject) { fold = StreamFold(subject) }

  /// Takes in the stream's next event.
  mutating func apply(_ recorded: Recorded, epoch: UInt64, revision: UInt64) -> [Change] {
    let differences = fold.apply(recorded, epoch: epoch)
    var changes: [Change] = []
    for difference in differences {
      // What follows from something else is nobody's edit; of a credential everything does.
      guard difference.isSettable || !fold.subject.isIntent else { continue }
      guard let writer = fold.writers[difference.field] ?? fold.presence else { continue }
      let setting = Setting(value: difference.after, writer: writer, revision: revision)
      var all = settings[difference.field] ?? []
      let original = all.dropLast().last { $0.value == difference.after }
      let before = all.last
      all.append(setting)
      if all.count > Self.settingsMax { all.removeFirst(all.count - Self.settingsMax / 2) }
      settings[difference.field] = all
      changes.append(
        Change(
          field: difference.field, before: before, after: setting, original: original,
          recent: all.suffix(8)))
    }
    return changes
  }

  /// To be called when what the event did was looked at.
  mutating func note(_ author: Author, _ revision: UInt64) { lastRevisions[author] = revision }
}

/// Who writes, and through which door: the same person's file and the same person's browser are two writers.
struct Author: Hashable {
  var actor: String
  var source: Source

  init(_ provenance: Provenance) {
    actor = provenance.actor
    source = provenance.source
  }
}
