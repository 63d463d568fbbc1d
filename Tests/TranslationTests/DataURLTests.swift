import Testing

@testable import Translation

@Suite struct DataURLTests {
  @Test(
    arguments: [
      ("data:image/png;base64,iVBORw0KGgo=", "image/png", "iVBORw0KGgo="),
      ("DATA:image/png;BASE64,AA==", "image/png", "AA=="),
      ("data:text/plain;charset=utf-8;base64,aGk=", "text/plain", "aGk="),
      ("data:;base64,AA==", nil, "AA=="),
      ("data:application/pdf;base64,", "application/pdf", ""),
    ] as [(String, String?, String)])
  func `base64 addresses are read`(text: String, mediaType: String?, base64: String) {
    #expect(DataURL(text) == DataURL(mediaType: mediaType, base64: base64))
  }

  @Test(arguments: [
    "", "data:", "https://example.com/a.png", "data:text/plain,hi", "data:image/png;base64",
    "data:base64,AA==", "datax;base64,AA==",
  ])
  func `other addresses are not`(text: String) { #expect(DataURL(text) == nil) }

  @Test func `an address comes back as it was`() {
    let text = "data:image/webp;base64," + String(repeating: "QUJD", count: 50_000)
    #expect(DataURL(text)?.text == text)
  }
}
