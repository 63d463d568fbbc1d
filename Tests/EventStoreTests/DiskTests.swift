import Support
import Testing

@testable import EventStore

/// What the log relies on of a disk that is nearly full, of both kinds alike.
struct DiskTests {
  @Test(arguments: DiskKind.allCases)
  func whatIsAllocatedCanBeWritten(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    try disk.makeDirectory(directory)
    let file = try disk.open(directory + "/file", .createNew)
    try file.writeAll([1, 2, 3], at: 0)
    try file.allocate(5_000)
    #expect(try file.size() == 5_000)
    #expect(try file.readAll(limit: 5_000)?.prefix(5) == [1, 2, 3, 0, 0])
    try file.allocate(100)
    #expect(try file.size() == 5_000, "allocating took something away")
    file.close()
  }

  @Test func aFiniteDiskRefusesWhatDoesNotFitAndTakesItOnceThereIsRoom() throws {
    // Two names and nine sectors of contents.
    let disk = SimulatedDisk(seed: 1, capacity: 11 * 512)
    let reserve = try disk.open("/reserve", .createNew)
    try reserve.allocate(4 * 512)
    let file = try disk.open("/file", .createNew)
    #expect(disk.free == 5 * 512)
    #expect(code { _ = try disk.open("/third", .createNew) } == nil)
    try disk.remove("/third")

    // The part that fits, then nothing.
    let bytes = [UInt8](repeating: 7, count: 6 * 512)
    let written = try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    #expect(written == 5 * 512 && disk.free == 0)
    #expect(code { try file.writeAll(bytes, at: 0) } == .full)
    #expect(code { try file.allocate(6 * 512) } == .full)
    #expect(code { _ = try disk.open("/third", .createNew) } == .full)
    #expect(code { try reserve.allocate(5 * 512) } == .full)
    try file.writeAll(bytes.prefix(512).map { $0 }, at: 512)

    try reserve.truncate(to: 512)
    #expect(disk.free == 3 * 512)
    try file.writeAll(bytes, at: 0)
    try disk.remove("/reserve")
    #expect(disk.free == 4 * 512)
  }
}
