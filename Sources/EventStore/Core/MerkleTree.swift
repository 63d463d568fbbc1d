/// The Merkle tree of RFC 6962 over leaves of the log.
///
/// Node 0 is SHA-256(0x00 ‖ leaf), an inner one SHA-256(0x01 ‖ left ‖ right); the left half of n leaves
/// is the greatest power of two below n. The root of no leaves is SHA-256 of nothing.
public enum MerkleTree {
  /// The root over `leaves`, in order.
  public static func root(of leaves: some Sequence<Digest>) -> Digest {
    var builder = Builder()
    for leaf in leaves { builder.append(leaf) }
    return builder.root
  }

  /// The hashes that lead from leaf `index` to the root over `leaves`, from the leaf's side up.
  ///
  /// - Precondition: `index` is one of `leaves`.
  /// - Complexity: O(n) hashes.
  public static func path(toLeaf index: Int, of leaves: [Digest]) -> [Digest] {
    precondition(leaves.indices.contains(index), "the tree has no such leaf")
    var level = leaves.map(hash(leaf:))
    var path: [Digest] = []
    var at = index
    while level.count > 1 {
      // The last one of an odd number goes up alone.
      if at ^ 1 < level.count { path.append(level[at ^ 1]) }
      level = stride(from: 0, to: level.count, by: 2).map { left in
        left + 1 < level.count ? hash(level[left], level[left + 1]) : level[left]
      }
      at /= 2
    }
    return path
  }

  /// The root that follows from `leaf` at `index` of `count` leaves and its `path`.
  ///
  /// - Returns: nil if a path of such a leaf has another length or there is no such leaf.
  public static func root(
    leaf: Digest, index: UInt64, count: UInt64, path: [Digest]
  ) -> Digest? {
    guard index < count else { return nil }
    var rest = path[...]
    var node = hash(leaf: leaf)
    var (at, last) = (index, count - 1)
    while last > 0 {
      if at & 1 == 1 || at < last {
        guard let other = rest.popFirst() else { return nil }
        node = at & 1 == 1 ? hash(other, node) : hash(node, other)
      }
      at >>= 1
      last >>= 1
    }
    return rest.isEmpty ? node : nil
  }

  /// Builds the root leaf by leaf, keeping the roots of the whole left subtrees only: log₂ n digests.
  public struct Builder: Sendable {
    /// Leaves appended so far.
    public private(set) var count: UInt64 = 0
    /// One root for each bit set in `count`, the greatest subtree first.
    private var subtrees: [Digest] = []

    /// Begins without a leaf.
    public init() {}

    /// Adds the next leaf.
    public mutating func append(_ leaf: Digest) { append(node: hash(leaf: leaf)) }

    mutating func append(node: Digest) {
      var node = node
      var rest = count
      while rest & 1 == 1 {
        node = hash(subtrees.removeLast(), node)
        rest >>= 1
      }
      subtrees.append(node)
      count += 1
    }

    /// The root over the leaves so far.
    public var root: Digest {
      guard var node = subtrees.last else { return .ofNothing }
      for subtree in subtrees.dropLast().reversed() { node = hash(subtree, node) }
      return node
    }
  }

  private static func hash(leaf: Digest) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 33, alignment: 8) { room in
      room[0] = 0
      room.put(leaf, 1)
      return Digest.sha256(UnsafeRawBufferPointer(room))
    }
  }

  private static func hash(_ left: Digest, _ right: Digest) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 65, alignment: 8) { room in
      room[0] = 1
      room.put(left, 1)
      room.put(right, 33)
      return Digest.sha256(UnsafeRawBufferPointer(room))
    }
  }
}
