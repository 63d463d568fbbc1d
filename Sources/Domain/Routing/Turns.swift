/// Whose turn it is, from the place in the order alone.
enum Turns {
  /// Spreads seeds that lie close together over all of 64 bits (the finaliser of SplitMix64).
  static func mixed(_ seed: UInt64) -> UInt64 {
    var value = seed &+ 0x9E37_79B9_7F4A_7C15
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// Which of several weights has the turn at a place in the order.
  ///
  /// The j-th turn of weight w out of W falls at the time (2j + 1)·W / 2w, and turns follow each other by
  /// time. So each weight has exactly its share of every cycle of W turns (divided by what the weights have in
  /// common), is never more than one turn behind or ahead of it for two of them, and the heavy ones do not come
  /// in runs that starve the light ones. Needs no memory of the turns before.
  ///
  /// - Parameter weights: each up to 10,000; those of 0 have no turn.
  /// - Returns: An index; nil if all weights are 0.
  /// - Complexity: the number of weights where they are equal, else up to its square.
  static func weighted(_ weights: [UInt32], at cursor: UInt64) -> Int? {
    var common: UInt64 = 0
    for weight in weights { common = divisor(common, UInt64(weight)) }
    guard common > 0 else { return nil }
    let shares = weights.map { UInt64($0) / common }
    let cycle = shares.reduce(0, +)
    let place = cursor % cycle
    if shares.allSatisfy({ $0 < 2 }) {
      var left = place
      return shares.firstIndex { share in
        guard share > 0 else { return false }
        defer { left &-= 1 }
        return left == 0
      }
    }
    // Turns up to the time t number between t − M/2 and t + M/2: begin where none is passed by.
    let half = UInt64(shares.count + 1) / 2 + 1
    let start = place > half ? place - half : 0
    var taken = shares.map { (2 * start * $0 + cycle) / (2 * cycle) }
    var left = place - min(place, taken.reduce(0, +))
    while true {
      var next = -1
      for index in shares.indices where shares[index] > 0 {
        // (2j + 1) / w compared without dividing.
        if next < 0
          || (2 * taken[index] + 1) * shares[next] < (2 * taken[next] + 1) * shares[index]
        {
          next = index
        }
      }
      if left == 0 { return next }
      left -= 1
      taken[next] += 1
    }
  }

  private static func divisor(_ a: UInt64, _ b: UInt64) -> UInt64 {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a
  }
}
