import Testing

@testable import Translation

@Suite struct DataURLTests {
  @Test(
    "base64 addresses are read",
    arguments: [
      ("data:image/png;base64,iVBORw0KGgo=", "image/png", "iVBORw0KGgo="),
      ("DATA:image/png;BASE64,AA==", "image/png", "AA=="),
      ("data:text/plain;charset=utf-8;base64,aGk=", "text/plain", "aGk="),
      ("data:;base64,AA==", nil, "AA=="),
      ("data:application/pdf;base64,", "application/pdf", ""),
    ] as [(String, String?, String)])
  func base64AddressesAreRead(text: String, mediaType: String?, base64: String) {
    #expect(DataURL(text) == DataURL(mediaType: mediaType, base64: base64))
  }

  @Test(
    "other addresses are not",
    arguments: [
      "", "data:", "https://example.com/a.png", "data:text/plain,hi", "data:image/png;base64",
      "data:base64,AA==", "datax;base64,AA==",
    ])
  func otherAddressesAreNot(text: String) { #expect(DataURL(text) == nil) }

  @Test("an address comes back as it was") func anAddressComesBackAs() {
    let text = "data:image/webp;base64," + String(repeating: "QUJD", count: 50_000)
    #expect(DataURL(text)?.text == text)
  }
}
