import CLibFuzzer
import Glibc
import LogOracle

/// One input of libFuzzer; a trap is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  checkIndex(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}

@main
enum FooterFuzz {
  static func main() {
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    exit(LLVMFuzzerRunDriver(&count, &arguments, fuzz))
  }
}
