import Support
import Synchronization
import Testing

@testable import EventStore

@Suite("Recently used blocks")
struct RecentCacheTests {
  /// All that are held; nothing is used by looking.
  private static func keys(of cache: RecentCache<Int, Int>) -> [Int] {
    let keys = Mutex<[Int]>([])
    cache.removeAll { key in
      keys.withLock { $0.append(key) }
      return false
    }
    return keys.withLock { $0.sorted() }
  }

  @Test("what was used lately stays, what nobody asked for goes")
  func stays() {
    let cache = RecentCache<Int, Int>(bound: 100)
    for key in 0..<1_000 {
      cache.insert(key, -key, cost: 10)
      // Asked for between insertions, however many there are.
      #expect(cache.value(0) == 0, "after \(key)")
    }
    #expect(cache.value(999) == -999)
    #expect(cache.value(500) == nil)
  }

  @Test("never more than the bound, where no value is more than half of it", arguments: 1...20)
  func bounded(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let cache = RecentCache<Int, Int>(bound: 1_000)
    var costs: [Int: Int] = [:]
    for step in 0..<2_000 {
      let key = random.int(0...199)
      if random.oneIn(3) {
        _ = cache.value(key)
      } else {
        let cost = random.int(1...500)
        costs[key] = cost
        cache.insert(key, step, cost: cost)
      }
      let held = Self.keys(of: cache).reduce(0) { $0 + costs[$1, default: 0] }
      #expect(held <= 1_000, "seed \(seed), step \(step)")
    }
  }

  @Test("one that costs more than the bound is held until others come")
  func large() {
    let cache = RecentCache<String, Int>(bound: 100)
    cache.insert("large", 1, cost: 1_000)
    #expect(cache.value("large") == 1)
    cache.insert("small", 2, cost: 1)
    #expect(cache.value("small") == 2)
  }

  @Test("the last value of a key holds, wherever the one before stands")
  func replaced() {
    let cache = RecentCache<Int, Int>(bound: 100)
    cache.insert(1, 1, cost: 40)
    cache.insert(2, 2, cost: 40)
    cache.insert(1, 3, cost: 10)
    cache.insert(3, 3, cost: 40)
    #expect(cache.value(1) == 3)
  }

  @Test("what is taken out is gone from both generations, and its room is free")
  func removed() {
    let cache = RecentCache<Int, Int>(bound: 100)
    for key in 0..<8 { cache.insert(key, key, cost: 10) }
    cache.removeAll { $0 % 2 == 0 }
    #expect(Self.keys(of: cache) == [1, 3, 5, 7])
    cache.removeAll { _ in true }
    for key in 10..<20 { cache.insert(key, key, cost: 10) }
    #expect(Self.keys(of: cache) == Array(10..<20))
  }
}
