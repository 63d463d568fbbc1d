extension StoreError {
  /// Refuses to open for writing, naming all that is damaged and how it can be dealt with.
  static func damaged(_ gaps: [LogGap], directory: String, because: String = "") -> StoreError {
    let shown = gaps.prefix(8).map(\.sentence).joined(separator: "; ")
    let more = gaps.count > 8 ? "; and \(gaps.count - 8) more" : ""
    let command = acceptCommand(gaps, directory: directory)
    var error = StoreError(
      .damaged,
      "\(because)\(shown)\(more); nothing was changed; the rest can be read with replay; restore the "
        + "named files from a backup, or accept the loss: \(command)",
      path: gaps.first?.path, position: gaps.first?.first)
    error.damage = gaps
    error.acceptCommand = command
    return error
  }

  /// The command that accepts exactly these losses.
  static func acceptCommand(_ gaps: [LogGap], directory: String) -> String {
    let ranges = gaps.compactMap { gap in
      gap.last.flatMap { $0 < gap.first ? nil : "\(gap.first)..\($0)" }
    }
    let places = gaps.filter(\.isEmpty).map { "\($0.first)" }
    var words = ["signalbox accept-loss --data \(shellQuoted(directory))"]
    // A command line takes 128 KiB; whoever has more damage than this restores a backup.
    if !ranges.isEmpty {
      words.append("--positions \(ranges.prefix(1_000).joined(separator: ","))")
    }
    if !places.isEmpty {
      words.append("--at-position \(places.prefix(1_000).joined(separator: ","))")
    }
    return words.joined(separator: " ") + " --reason TEXT"
  }
}

extension LogGap {
  /// It costs no position: what is there is not what was written, or stands where it does not belong.
  var isEmpty: Bool { last.map { $0 < first } ?? false }

  /// Both name the same positions of the same file.
  func isSame(as other: LogGap) -> Bool {
    path == other.path && first == other.first && last == other.last
  }

  /// What is damaged: file, offset, rule, positions, times.
  public var sentence: String {
    let range =
      isEmpty
      ? "at position \(first), which costs none"
      : "positions \(first)…\(last.map(\.description) ?? "")"
    let times = [
      minTime.map { "after \(utcText($0))" }, maxTime.map { "before \(utcText($0))" },
    ].compactMap(\.self)
    let when = times.isEmpty ? "" : " (\(times.joined(separator: ", ")))"
    return "\(path) at offset \(offset): \(rule): \(message), \(range)\(when)"
  }
}

/// A word of a shell command, whatever is in it.
func shellQuoted(_ text: String) -> String { "'\(text.replacing("'", with: "'\\''"))'" }

/// A time as people write it, in UTC and to the second: `2026-11-21T14:35:00Z`.
func utcText(_ nanoseconds: Int64) -> String {
  func floored(_ a: Int64, _ b: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
    return remainder < 0 ? (quotient - 1, remainder + b) : (quotient, remainder)
  }
  let seconds = floored(nanoseconds, 1_000_000_000).quotient
  let (days, second) = floored(seconds, 86_400)
  // Days since 1 March of the year 0, in eras of 400 years (the calendar repeats).
  let (era, day) = floored(days + 719_468, 146_097)
  let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365
  let dayOfYear = day - (365 * year + year / 4 - year / 100)
  let month = (5 * dayOfYear + 2) / 153
  let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
  let isNextYear = month >= 10
  func padded(_ number: Int64, _ width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
  return padded(era * 400 + year + (isNextYear ? 1 : 0), 4) + "-"
    + padded(isNextYear ? month - 9 : month + 3) + "-" + padded(dayOfMonth) + "T"
    + padded(second / 3_600) + ":" + padded(second / 60 % 60) + ":" + padded(second % 60) + "Z"
}
