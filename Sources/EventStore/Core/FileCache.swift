/// Open files, the ones used last; what is dropped closes itself with its last user.
struct FileCache: Sendable {
  private struct Key: Hashable {
    var path: String
    var generation: UInt64
  }

  private let disk: any Disk
  private let cache = RecentCache<Key, any DiskFile>(bound: Limits.openFiles)

  init(disk: any Disk) { self.disk = disk }

  func open(_ index: IndexFile) throws(StoreError) -> any DiskFile {
    try open(index.path, generation: index.number)
  }

  /// Opens `path` for reading; `generation` tells files apart that have the same name one after the other.
  func open(_ path: String, generation: UInt64) throws(StoreError) -> any DiskFile {
    let key = Key(path: path, generation: generation)
    if let known = cache.value(key) { return known }
    let file = try disk.open(path, .read)
    cache.insert(key, file, cost: 1)
    return file
  }
}
