import Domain

/// What is counted by a key of small numbers; beyond `limit` keys the rest counts together.
struct Cells<Key: Hashable & Sendable, Value: Sendable & Hashable>: Sendable {
  private(set) var values: [Key: Value] = [:]
  private let limit: Int
  private let beyond: Key
  private let zero: Value

  /// - Parameter beyond: takes what has no room of its own.
  init(limit: Int, beyond: Key, zero: Value) {
    self.limit = limit
    self.beyond = beyond
    self.zero = zero
  }

  mutating func change(_ key: Key, _ body: (inout Value) -> Void) {
    let isBeyond = values.count >= limit && values[key] == nil
    let zero = zero
    body(&values[isBeyond ? beyond : key, default: zero])
  }
}

extension Cells where Value == UInt64 {
  mutating func add(_ count: UInt64, to key: Key) {
    change(key) { $0 = $0.saturated(adding: count) }
  }
}

/// Numbers for the values of one label; those beyond a bound are one: `other`.
struct LabelValues: Sendable {
  private var names: Interner
  /// Stands for all others.
  let other: Int32

  init(limit: Int) {
    names = Interner(limit: limit)
    other = Int32(limit)
  }

  mutating func number(of bytes: UnsafeRawBufferPointer) -> Int32 {
    Int32(truncatingIfNeeded: names.number(of: bytes))
  }

  mutating func number(of text: String) -> Int32 {
    Int32(truncatingIfNeeded: names.number(of: text))
  }

  /// As exposed; -1: there is none.
  func text(_ number: Int32) -> String {
    number < 0 ? "none" : number >= names.texts.count ? "other" : names.texts[Int(number)]
  }
}
