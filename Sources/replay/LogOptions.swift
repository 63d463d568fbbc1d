import ArgumentParser
import Domain
import EventStore
import Glibc
import Inquiry

/// Which log to read and how to answer; shared by all verbs.
struct LogOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The log's directory, or a bundle.",
      discussion:
        "Default: the environment variable SIGNALBOX_DATA, else ./signalbox-data. Nothing in it is "
        + "ever written; a gateway may be writing to it meanwhile.", valueName: "dir|file"))
  var log: String?

  @Flag(help: "Answer as JSON, with every field, instead of text.")
  var json = false

  @Flag(
    help: ArgumentHelp(
      "Say on standard error which snapshots are not used, and why.",
      discussion: "They only make answers faster; no answer depends on them."))
  var verbose = false

  /// Opens the log for reading.
  func open() throws -> LogReader {
    let log = try opened()
    if let bundle = log.bundle, bundle.isMinimised {
      Terminal.error(
        "replay: this bundle was minimised, and what is not in it may have been: "
          + "\(Shown.text(bundle.note))\n")
    }
    if verbose {
      for line in try Replay.ignoredSnapshots(in: log) {
        Terminal.error("replay: not used: \(line)\n")
      }
    }
    return log
  }

  private var variable: String { getenv("SIGNALBOX_DATA").map { String(cString: $0) } ?? "" }

  /// Where the log is.
  var directory: String { log ?? (variable.isEmpty ? "./signalbox-data" : variable) }

  private func opened() throws -> LogReader {
    do throws(StoreError) {
      return try LogReader.open(path: directory)
    } catch {
      let isDefault = log == nil && variable.isEmpty
      var fault = LogOptions.fault(error)
      if isDefault { fault.message += ". Name the directory with --log or SIGNALBOX_DATA." }
      throw fault
    }
  }

  /// What could not be opened.
  static func fault(_ error: StoreError) -> InquiryFault {
    InquiryFault(error.code == .damaged ? .damaged : .log, "\(error)")
  }

  /// Prints the answer and ends with its exit code.
  func answer(_ report: any InquiryReport) throws {
    Terminal.output(json ? report.document.rendered : report.text)
    guard report.exitCode == .same else { throw ArgumentParser.ExitCode(report.exitCode.rawValue) }
  }

  /// The edge where time enters: what `-15m` counts from.
  static func now() -> UnixNanoseconds {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return UnixNanoseconds(Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
  }

  /// Tells on standard error, once a second after the first, how far a long read has come.
  static func progress(of log: LogReader) -> Progress {
    let last = log.last
    let clock = ContinuousClock()
    var next = clock.now + .seconds(1)
    return { position in
      guard clock.now >= next else { return }
      next = clock.now + .seconds(1)
      Terminal.error("replay: reading, at position \(position) of \(last)\n")
    }
  }
}
