/// Proving that what is read is what was written.
extension LogReader {
  /// The chain value at `position` (`.origin`: zero).
  ///
  /// - Throws: `.damaged` if the position cannot be read or does not exist.
  public func chainValue(at position: Position) throws(StoreError) -> Digest {
    settle()
    if position == .origin { return .zero }
    if let bundle {
      if position == bundle.base { return bundle.chainBefore }
      guard position > bundle.base else {
        throw StoreError(
          .damaged, "the bundle has no chain value before position \(bundle.base)",
          path: directory, position: position)
      }
    }
    guard
      let chain = try blocks.block(holding: position.rawValue)?.chain(through: position.rawValue)
    else {
      throw StoreError(
        .damaged, "there is no readable event at \(position)", path: directory, position: position)
    }
    return chain
  }

  /// Reads every byte of the range and checks checksums, epochs, density, revisions and the chain.
  ///
  /// Damage does not throw: it is in the report.
  public func verify(
    from: Position, through: Position?, progress: ((Position) -> Void)?
  ) throws(StoreError) -> VerifyReport {
    settle()
    let endGaps = try endGaps()
    let end = min(through?.rawValue ?? .max, index.last)
    // What a bundle tells of the time before its base stands alone.
    let start = max(1, from.rawValue, (bundle?.base.rawValue ?? 0) + 1)
    let decoder = BlockDecoder()
    var check = Verification(from: start, through: end, faultsMax: revisionFaultsMax)
    let known = index.gaps
    check.gaps = Self.gaps(known + endGaps, from: from, through: through)
    var at = start
    while at <= end, let segment = try index.segment(atOrAfter: at),
      let head = segment.places.first, head.first <= end
    {
      guard let file = try blocks.file(head) else { continue }
      let window = WindowedFile(file)
      check.segment(head, try window.bytes(at: 0, count: SegmentHeader.maxBytes))
      if segment.index != nil, start <= head.header.first, segment.last <= end {
        check.rebuildIndex(head.header)
      }
      for place in segment.places where place.last >= at && place.first <= end {
        let bytes = try window.bytes(at: place.offset, count: place.extent)
        do throws(RuleBroken) {
          let header = try blocks.header(place, bytes)
          check.block(
            header, try decoder.body(header, bytes, dictionary: place.header.dictionary), place)
        } catch {
          check.unreadable(blocks.gap(place, error))
        }
        progress?(Position(min(place.last, end)))
      }
      if let tables = segment.index, let last = segment.places.last {
        let blocksEnd = tables.isFooter ? last.offset + UInt64(last.extent) : try file.size()
        let handle = tables.isFooter ? file : try? index.files.open(tables)
        if let built = check.rebuiltIndex(endOfBlocks: blocksEnd), let handle,
          let rule = try tables.difference(from: built, handle)
        {
          try index.distrust(tables, rule)
        }
      }
      at = segment.last + 1
    }
    // What was found while reading, of which only the index knows.
    for gap in Self.gaps(Array(index.gaps[known.count...]), from: from, through: through)
    where !check.gaps.contains(where: { $0.isSame(as: gap) }) { check.gaps.append(gap) }
    check.gaps += index.faults
    check.gaps = check.gaps.map(index.accepted.marked)
    return check.report
  }
}

/// Broken revisions beyond so many are not listed.
private let revisionFaultsMax = 100
