func crc32c(_ bytes: some Sequence<UInt8>, from crc: UInt32 = 0) -> UInt32 {
  var crc = ~crc
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0x82F6_3B78 }
  }
  return ~crc
}

private func roots() -> [UInt32] {
  // The first 32 bits of the fractions of the cube roots of the first 64 primes.
  var primes: [UInt64] = []
  var candidate: UInt64 = 2
  while primes.count < 64 {
    if primes.allSatisfy({ candidate % $0 != 0 }) { primes.append(candidate) }
    candidate += 1
  }
  return primes.map { prime in
    // The greatest x with x³ ≤ prime · 2⁹⁶ is the root times 2³².
    var (low, high) = (UInt128(0), UInt128(1) << 36)
    while high - low > 1 {
      let middle = (low + high) / 2
      if middle * middle * middle <= UInt128(prime) << 96 { low = middle } else { high = middle }
    }
    return UInt32(truncatingIfNeeded: low)
  }
}

private let constants = roots()

/// SHA-256, for digests that a changed bundle has to fit.
func sha256(_ message: ArraySlice<UInt8>) -> [UInt8] {
  var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab,
    0x5be0_cd19,
  ]
  var bytes = Array(message) + [0x80]
  bytes += [UInt8](repeating: 0, count: (120 - bytes.count % 64) % 64)
  bytes += withUnsafeBytes(of: (UInt64(message.count) * 8).bigEndian, Array.init)
  func turned(_ value: UInt32, _ count: UInt32) -> UInt32 { value >> count | value << (32 - count) }
  var words = [UInt32](repeating: 0, count: 64)
  for start in stride(from: 0, to: bytes.count, by: 64) {
    for index in 0..<16 {
      words[index] = (0..<4).reduce(0) { $0 << 8 | UInt32(bytes[start + 4 * index + $1]) }
    }
    for index in 16..<64 {
      let (a, b) = (words[index - 15], words[index - 2])
      let first = turned(a, 7) ^ turned(a, 18) ^ a >> 3
      let second = turned(b, 17) ^ turned(b, 19) ^ b >> 10
      words[index] = words[index - 16] &+ first &+ words[index - 7] &+ second
    }
    var s = state
    for index in 0..<64 {
      let big = turned(s[4], 6) ^ turned(s[4], 11) ^ turned(s[4], 25)
      let chosen = s[4] & s[5] ^ ~s[4] & s[6]
      let one = s[7] &+ big &+ chosen &+ constants[index] &+ words[index]
      let small = turned(s[0], 2) ^ turned(s[0], 13) ^ turned(s[0], 22)
      let most = s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2]
      s = [one &+ small &+ most, s[0], s[1], s[2], s[3] &+ one, s[4], s[5], s[6]]
    }
    for index in 0..<8 { state[index] &+= s[index] }
  }
  return state.flatMap { withUnsafeBytes(of: $0.bigEndian, Array.init) }
}
