import Support
import Testing

@testable import EventStore

struct MerkleTests {
  private static func leaf(_ number: Int) -> Digest {
    withUnsafeBytes(of: UInt8(truncatingIfNeeded: number)) { Digest.sha256($0) }
  }

  /// The leaves and roots that certificate-transparency implementations publish for RFC 6962.
  private static let published = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
      "606162636465666768696a6b6c6d6e6f",
      "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    ),
  ]

  @Test func rootsAreThoseOfTheRFC() {
    var builder = MerkleTree.Builder()
    #expect(
      builder.root.description
        == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    for (input, root) in Self.published {
      let digits = Array(input.utf8)
      var bytes: [UInt8] = [0]
      for at in stride(from: 0, to: digits.count, by: 2) {
        bytes.append(UInt8(String(decoding: digits[at...(at + 1)], as: UTF8.self), radix: 16) ?? 0)
      }
      builder.append(node: bytes.withUnsafeBytes { Digest.sha256($0) })
      #expect(builder.root.description == root)
    }
  }

  @Test func theLeafIsThirtyTwoBytesBehindAZero() {
    // Computed by an implementation in another language.
    #expect(
      MerkleTree.root(of: (0..<7).map(Self.leaf)).description
        == "bee2275db16667589a4515f63e0d053a2fa602c1d9f9703e98920a5bdad59baf")
  }

  @Test func everyPathLeadsToTheRootAndNoOtherDoes() {
    for count in 1...33 {
      let leaves = (0..<count).map(Self.leaf)
      let root = MerkleTree.root(of: leaves)
      for index in 0..<count {
        let path = MerkleTree.path(toLeaf: index, of: leaves)
        func check(_ leaf: Digest, _ index: Int, _ count: Int, _ path: [Digest]) -> Bool {
          MerkleTree.root(leaf: leaf, index: UInt64(index), count: UInt64(count), path: path)
            == root
        }
        #expect(check(leaves[index], index, count, path))
        #expect(!check(Self.leaf(99), index, count, path))
        #expect(!check(leaves[index], index, count, path + [root]))
        #expect(!check(leaves[index], count, count, path))
        if count > 1 {
          #expect(!check(leaves[index], (index + 1) % count, count, path))
          #expect(!check(leaves[index], index, count, Array(path.dropLast())))
        }
      }
    }
  }
}
