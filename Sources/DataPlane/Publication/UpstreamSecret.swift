/// The secret of one account, as sent upstream.
///
/// Never shows itself in text.
public struct UpstreamSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// Sent as `authorization: Bearer <these>`; visible ASCII, checked when a head is built.
  let bytes: [UInt8]

  /// A secret of these bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Says that there is a secret, and nothing of it.
  public var description: String { "UpstreamSecret(redacted)" }
  /// As `description`.
  public var debugDescription: String { description }
  /// Without children: dumps show nothing either.
  public var customMirror: Mirror { Mirror(self, children: [:]) }
}
