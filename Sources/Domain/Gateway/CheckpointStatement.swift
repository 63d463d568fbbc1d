extension GatewayEvent.CheckpointSigned {
  /// The first line of what is signed, which tells it from everything else that the key might sign.
  ///
  /// Also the key's name in a note.
  public static func origin(store: UInt128) -> String {
    "signalbox/checkpoint/v1/\(uuidText(store))"
  }

  /// What is signed, in UTF-8: six lines, each ended by a line feed.
  ///
  /// The origin with the store's identity, position, chain value, epoch, the position before, Merkle
  /// root; numbers in decimal, hashes in base64. docs/file-format.md gives an example.
  public func statement(store: UInt128) -> String {
    """
    \(Self.origin(store: store))
    \(position)
    \(base64Text(chain))
    epoch \(epoch)
    previous \(previous)
    root \(base64Text(root))

    """
  }
}
