import BundleOracle
import CLibFuzzer
import Glibc

/// One input of libFuzzer; a trap is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  checkBundle(UnsafeRawBufferPointer(start: start, count: count))
  return 0
}

@main
enum BundleFuzz {
  static func main() {
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
    exit(LLVMFuzzerRunDriver(&count, &arguments, fuzz))
  }
}
