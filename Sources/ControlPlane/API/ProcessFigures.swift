import Glibc

/// What the kernel says of this process.
struct ProcessFigures: Sendable {
  /// User and system time together.
  var cpuMicroseconds: UInt64
  /// Since 1970, in microseconds; nil where `/proc` does not say.
  var startMicroseconds: UInt64?
  var residentBytes: UInt64?
  var virtualBytes: UInt64?
  var openDescriptors: UInt64?
  var maximumDescriptors: UInt64?

  /// Reads some files of `/proc`: a few dozen microseconds, and one a descriptor.
  init() {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    cpuMicroseconds = UInt64(
      (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000 + usage.ru_utime.tv_usec
        + usage.ru_stime.tv_usec)
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      maximumDescriptors = UInt64(limit.rlim_cur)
    }
    openDescriptors = Self.entries("/proc/self/fd")
    // The name in parentheses may hold spaces: fields are counted from behind it.
    let fields =
      Self.text("/proc/self/stat")
      .flatMap { text in text.lastIndex(of: ")").map { text[text.index(after: $0)...] } }
      .map { $0.split(separator: " ").map { UInt64($0) } } ?? []
    // The 3rd field of all is the first here.
    func field(_ number: Int) -> UInt64? { number - 3 < fields.count ? fields[number - 3] : nil }
    virtualBytes = field(23)
    residentBytes = field(24).map { $0 * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE)))) }
    let ticks = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))
    if let started = field(22), let boot = Self.bootSeconds {
      startMicroseconds = boot * 1_000_000 + started * 1_000_000 / ticks
    }
  }

  /// When the machine was started, in seconds since 1970.
  private static var bootSeconds: UInt64? {
    text("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
      .flatMap { UInt64($0.dropFirst("btime ".count)) }
  }

  private static func text(_ path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while bytes.count < 1 << 20 {
      let count = fread(&part, 1, part.count, file)
      guard count > 0 else { break }
      bytes += part[..<count]
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func entries(_ path: String) -> UInt64? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var count: UInt64 = 0
    while let entry = readdir(directory) {
      // The directory itself, its parent, and the descriptor that reads it are none.
      if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
    }
    return count > 0 ? count - 1 : 0
  }
}
