/// The secret of one account, as sent upstream. Never shows itself in text.
public struct UpstreamSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// Sent as `authorization: Bearer <these>`; visible ASCII, checked when a head is built.
  let bytes: [UInt8]

  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  public var description: String { "UpstreamSecret(redacted)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
