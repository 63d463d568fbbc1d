import Testing

@testable import Domain

/// Addresses as text, and which of them nothing is asked of.
struct IPAddressTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"),
    ("::1", "0:0:0:0:0:0:0:1"), ("::", "0:0:0:0:0:0:0:0"), ("2001:db8::", "2001:db8:0:0:0:0:0:0"),
    ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("fe80::1:0:0:1", "fe80:0:0:0:1:0:0:1"),
    ("64:ff9b::10.0.0.1", "64:ff9b:0:0:0:0:a00:1"),
  ])
  func `an address is read whatever way it is written`(text: String, canonical: String) {
    #expect(IPAddress(text)?.description == canonical)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "256.0.0.1", "1.2.3.-4", "01.2.3.4", "1.2.3.4 ", "a.b.c.d", ":",
    ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "::g", ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:", "1.2.3.4::", "fe80::1%eth0", "[::1]", "1:2:3:4:5:6:7:1.2.3.4", "+1.2.3.4",
  ])
  func `what is no address is none`(text: String) { #expect(IPAddress(text) == nil) }

  @Test(arguments: [
    ("2852039166", "169.254.169.254"), ("0xA9FEA9FE", "169.254.169.254"),
    ("025177524776", "169.254.169.254"), ("0251.0376.0251.0376", "169.254.169.254"),
    ("169.16689662", "169.254.169.254"), ("169.254.43518", "169.254.169.254"), ("0", "0.0.0.0"),
    ("127.1", "127.0.0.1"), ("010.0.0.1", "8.0.0.1"),
  ])
  func `the forms that only system libraries take are read on demand`(
    text: String, canonical: String
  ) {
    #expect(IPAddress(text) == nil)
    #expect(IPAddress(anyFormOf: text)?.description == canonical)
  }

  @Test(arguments: ["", "api.example.com", "256.1", "1.2.3.256", "08", "0xg", "4294967296", "1..2"])
  func `a name is no address in any form`(text: String) {
    #expect(IPAddress(anyFormOf: text) == nil)
  }

  @Test(arguments: [
    "169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "0.0.0.0", "0.1.2.3", "::",
    "fe80::1", "febf::1", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192",
    "168.63.129.16", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254",
  ])
  func `nothing is asked of link-local, metadata and unspecified addresses`(text: String) throws {
    #expect(try #require(IPAddress(text)).isForbiddenUpstream)
  }

  @Test(arguments: [
    "127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "8.8.8.8", "169.253.255.255",
    "169.255.0.0", "fec0::1", "fd00::1", "2001:db8::1", "64:ff9b::808:808", "2002:808:808::1",
    "100.100.100.201",
  ])
  func `loopback, private and public addresses may be asked`(text: String) throws {
    #expect(try !#require(IPAddress(text)).isForbiddenUpstream)
  }

  @Test func `a block holds what shares its prefix`() throws {
    let block = try #require(AddressBlock("10.16.0.0/12"))
    for (text, isIn) in [
      ("10.16.0.0", true), ("10.31.255.255", true), ("10.32.0.0", false), ("10.15.0.0", false),
      ("::ffff:10.17.0.1", true), ("::a11:1", false),
    ] {
      #expect(block.contains(try #require(IPAddress(text))) == isIn, "\(text)")
    }
    #expect(try #require(AddressBlock("::/0")).contains(try #require(IPAddress("::1"))))
    #expect(try !#require(AddressBlock("::/0")).contains(try #require(IPAddress("1.2.3.4"))))
    #expect(AddressBlock("192.0.2.1")?.description == "192.0.2.1/32")
  }

  @Test(arguments: [
    "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.1/8", "2001::1/64",
    "::/129", "localhost", "10.0.0.0/8/8",
  ])
  func `a block with bits behind its prefix, or of anything else, is none`(text: String) {
    #expect(AddressBlock(text) == nil)
  }
}
