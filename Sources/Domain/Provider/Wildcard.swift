/// Whether `name` matches `pattern`, in which `*` stands for any run of bytes, also an empty one.
///
/// Linear in practice and never worse than pattern × name: it goes back to the last `*` only.
func matches(_ name: String, wildcard pattern: String) -> Bool {
  let name = Array(name.utf8)
  let pattern = Array(pattern.utf8)
  let star = UInt8(ascii: "*")
  var at = 0
  var place = 0
  var retry: (pattern: Int, name: Int)?
  while at < name.count {
    if place < pattern.count, pattern[place] == star {
      retry = (place + 1, at)
      place += 1
    } else if place < pattern.count, pattern[place] == name[at] {
      place += 1
      at += 1
    } else if let last = retry {
      place = last.pattern
      at = last.name + 1
      retry = (last.pattern, at)
    } else {
      return false
    }
  }
  return pattern[place...].allSatisfy { $0 == star }
}
