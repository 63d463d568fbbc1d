import Glibc

/// Nanoseconds of the monotonic clock, which all processes of a machine share.
func monotonic() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

func seconds(since began: Int64) -> Double { Double(monotonic() - began) / 1e9 }

/// Nanoseconds of many calls, sorted once for all questions.
struct Timings {
  private let sorted: [Int64]

  init(_ nanoseconds: [Int64]) { sorted = nanoseconds.sorted() }

  /// In microseconds; 0 without a single call.
  func percentile(_ share: Double) -> Double {
    guard !sorted.isEmpty else { return 0 }
    let place = min(sorted.count - 1, Int(Double(sorted.count) * share))
    return Double(sorted[place]) / 1e3
  }
}

/// The largest resident memory of this process so far, in bytes.
func peakMemory() -> Int {
  var usage = rusage()
  getrusage(RUSAGE_SELF.rawValue, &usage)
  return usage.ru_maxrss * 1_024
}

/// Seconds of processor time that all threads of this process, and the kernel for them, took so far.
func processorSeconds() -> Double {
  var usage = rusage()
  getrusage(RUSAGE_SELF.rawValue, &usage)
  return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
    + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
}

/// Writes one line to standard output at once.
func say(_ line: String) { put(line + "\n", 1) }

/// Writes one line of progress to standard error.
func progress(_ line: String) { put(line + "\n", 2) }

private func put(_ text: String, _ descriptor: Int32) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { exit(1) }
    bytes = bytes.dropFirst(count)
  }
}

/// Prints a slice's result: one JSON object of numbers on one line.
func result(_ members: KeyValuePairs<String, Double>) {
  say("{" + members.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}")
}

/// What is wrong with a call or its surroundings, in one sentence.
struct Failure: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
