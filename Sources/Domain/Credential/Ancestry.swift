/// Which secrets of an account the one in force was made on top of, told by who made them.
///
/// A secret is known by its author (one life of a node) and its generation. An author makes each on top of all that it
/// made before, and a generation is higher than those that it stands on: so the last one of each author says it all. No
/// event carries this for what is made here: it follows from whose log it is.
public struct Ancestry: Sendable, Hashable {
  /// Of each author the last generation that this secret is, or stands on.
  public private(set) var made: [EditAuthor: UInt64]
  /// Of each author the last generation that was made apart from this secret and gave way to it.
  public private(set) var beaten: [EditAuthor: UInt64]
  /// Whose those up to this generation are is not known: older builds told nobody.
  public private(set) var unnamed: UInt64

  /// Of each kind; what was made longest ago goes first, and is unnamed then.
  public static let mostAuthors = 64
  /// Of the very first one.
  static let none = Ancestry()

  init(
    made: [EditAuthor: UInt64] = [:], beaten: [EditAuthor: UInt64] = [:], unnamed: UInt64 = 0
  ) {
    self.made = made
    self.beaten = beaten
    self.unnamed = unnamed
  }

  /// A secret and whose it is.
  public struct Origin: Sendable, Hashable {
    /// Who made it.
    public var author: EditAuthor
    /// As its author numbered it.
    public var generation: UInt64

    /// Made of its parts.
    public init(author: EditAuthor, generation: UInt64) {
      self.author = author
      self.generation = generation
    }
  }

  /// Whether nothing is known.
  var isEmpty: Bool { self == .none }

  // MARK: How it grows

  /// Of the next secret that an author makes; nil: nobody said who.
  func succeeded(by author: EditAuthor?, as generation: UInt64) -> Self {
    var next = Ancestry(made: Self.latest(made, beaten), unnamed: unnamed)
    if let author {
      next.made[author] = max(next.made[author] ?? 0, generation)
    } else {
      next.unnamed = max(unnamed, generation)
    }
    return next.bounded()
  }

  /// Of a secret whose author decides about another one, too.
  func seeing(_ other: Self) -> Self {
    var next = self
    next.made = Self.latest(made, Self.latest(other.made, other.beaten))
    next.unnamed = max(unnamed, other.unnamed)
    return next.bounded()
  }

  /// Of one secret, as two nodes know it.
  func joined(with other: Self) -> Self {
    Ancestry(
      made: Self.latest(made, other.made), beaten: Self.latest(beaten, other.beaten),
      unnamed: min(unnamed, other.unnamed)
    ).bounded()
  }

  /// Of a secret that stands on another one.
  func standing(on other: Self) -> Self {
    Ancestry(
      made: Self.latest(made, other.made), beaten: Self.latest(beaten, other.beaten),
      unnamed: unnamed
    ).bounded()
  }

  /// Of a secret that another one, which was made apart, gave way to.
  func beating(_ other: Self) -> Self {
    Ancestry(
      made: made, beaten: Self.latest(beaten, Self.latest(other.made, other.beaten)),
      unnamed: unnamed
    ).bounded()
  }

  /// Names what was made here before this log had a name.
  mutating func name(_ author: EditAuthor) {
    for path in [\Ancestry.made, \.beaten] {
      guard let generation = self[keyPath: path].removeValue(forKey: .unnamed) else { continue }
      self[keyPath: path] = Self.latest(self[keyPath: path], [author: generation])
    }
  }

  // MARK: What it says

  /// The last secret that another one stands on and this one certainly does not.
  func misses(_ other: Self) -> Origin? {
    unknown(of: other.made) { author, generation in made[author] ?? 0 >= generation }
  }

  /// The last secret that gave way to another one and that is certainly none that this one knows.
  func missesBeaten(of other: Self) -> Origin? { unknown(of: other.beaten, knows) }

  /// Whether this one certainly stands on another one.
  ///
  /// - Parameter generation: of the other one.
  func stands(on other: Self, of generation: UInt64) -> Bool {
    generation > other.unnamed && !other.made.isEmpty
      && other.made.allSatisfy { made[$0.key] ?? 0 >= $0.value }
  }

  /// Whether it is on record that another one, on which this one does not stand, gave way to it.
  func beat(_ other: Self, of generation: UInt64) -> Bool {
    generation > other.unnamed && !other.made.isEmpty && other.made.allSatisfy(knows)
      && !stands(on: other, of: generation)
  }

  private func knows(_ author: EditAuthor, _ generation: UInt64) -> Bool {
    max(made[author] ?? 0, beaten[author] ?? 0) >= generation
  }

  private func unknown(
    of others: [EditAuthor: UInt64], _ isKnown: (EditAuthor, UInt64) -> Bool
  ) -> Origin? {
    others.filter { $0.value > unnamed && !isKnown($0.key, $0.value) }
      .max { ($0.value, $0.key) < ($1.value, $1.key) }
      .map { Origin(author: $0.key, generation: $0.value) }
  }

  private static func latest(
    _ some: [EditAuthor: UInt64], _ others: [EditAuthor: UInt64]
  ) -> [EditAuthor: UInt64] {
    some.merging(others, uniquingKeysWith: max)
  }

  /// What stands in both is no loss, and what there is no room for is not forgotten but unnamed.
  private func bounded() -> Self {
    var next = self
    next.beaten = beaten.filter { $0.value > made[$0.key] ?? 0 }
    for path in [\Ancestry.made, \.beaten] {
      while next[keyPath: path].count > Self.mostAuthors,
        let first = next[keyPath: path].min(by: { ($0.value, $0.key) < ($1.value, $1.key) })
      {
        next[keyPath: path][first.key] = nil
        next.unnamed = max(next.unnamed, first.value)
      }
    }
    return next
  }
}

extension Ancestry: Payload {
  func write(to writer: inout RecordWriter) {
    for table in [made, beaten] {
      writer.count(table.count)
      for (author, generation) in table.sorted(by: { $0.key < $1.key }) {
        author.write(to: &writer)
        writer.varint(generation)
      }
    }
    writer.varint(unnamed)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    self.init(
      made: try Self.table(&reader), beaten: try Self.table(&reader), unnamed: try reader.varint())
  }

  private static func table(
    _ reader: inout RecordReader
  ) throws(DecodingFailure) -> [EditAuthor: UInt64] {
    let count = try reader.count()
    guard count <= mostAuthors else { throw reader.failure(.invalidValue) }
    var table: [EditAuthor: UInt64] = [:]
    var last: EditAuthor?
    for _ in 0..<count {
      let author = try EditAuthor(from: &reader)
      if let last, last >= author { throw reader.failure(.notCanonical) }
      last = author
      table[author] = try reader.varint()
    }
    return table
  }
}
