import Domain

/// A page as headings, texts, tables and figures: what every rendering of a report is made from.
struct Document {
  /// A piece of a line.
  enum Inline: Hashable {
    case text(String)
    /// `epoch:position`, a citation.
    case place(String)
    /// A name or a command as it is written.
    case code(String)
    case strong(String)
    /// A time, shown by the clock alone where the day is clear.
    case time(UnixNanoseconds)
    /// What a person is to fill in.
    case slot(String)
  }

  struct Column: Hashable {
    var title: String
    var isNumber = false
    /// Long text: takes the room that is left.
    var isWide = false

    init(_ title: String, isNumber: Bool = false, isWide: Bool = false) {
      self.title = title
      self.isNumber = isNumber
      self.isWide = isWide
    }
  }

  struct Table: Hashable {
    var caption: String
    var columns: [Column]
    var rows: [[[Inline]]]
    /// By row: a word that renderings may mark it with; empty: none.
    var kinds: [String] = []
    /// Of what was left out; empty: nothing was.
    var note = ""
    /// Cells below each other where there is no room for all of them side by side.
    var isStacked = false
  }

  struct Figure: Hashable {
    var title: String
    /// One or two sentences that say what is to be seen.
    var description: String
    /// Whole `<svg>`; only pages show it.
    var drawing: String
    /// By class of the drawing: what it stands for.
    var legend: [(mark: String, text: String)]
    /// The same in numbers.
    var table: Table

    static func == (a: Figure, b: Figure) -> Bool { a.title == b.title && a.drawing == b.drawing }
    func hash(into hasher: inout Hasher) { hasher.combine(title) }
  }

  enum Block: Hashable {
    case heading(String, id: String)
    case subheading(String)
    case paragraph([Inline])
    case list([[Inline]])
    case facts([Fact])
    case table(Table)
    case figure(Figure)
  }

  struct Fact: Hashable {
    var name: String
    var value: [Inline]
  }

  /// The first line.
  var title: String
  /// The rung, or that there is none.
  var badge: String
  /// `sev1`, `sev2`, `sev3` or `none`.
  var badgeKind: String
  /// Below the title.
  var summary: [Inline]
  var facts: [Fact]
  var blocks: [Block]
  /// At the end: from what it was made.
  var colophon: [Inline]
}
