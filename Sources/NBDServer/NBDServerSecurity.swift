public import NBDProtocol
public import TLS

/// Whether an ``NBDServer`` has TLS, and whether clients may do without.
public struct NBDServerSecurity: Sendable {
  public let policy: NBDTLSPolicy
  /// There is one unless the policy is `none`.
  public let context: TLSContext?

  private init(policy: NBDTLSPolicy, context: TLSContext?) {
    self.policy = policy
    self.context = context
  }

  /// Everything is in the clear.
  public static let none = NBDServerSecurity(policy: .none, context: nil)
  /// As the client likes.
  public static func offered(_ context: TLSContext) -> NBDServerSecurity {
    NBDServerSecurity(policy: .offered, context: context)
  }
  /// Nothing but the request for TLS is listened to in the clear.
  public static func required(_ context: TLSContext) -> NBDServerSecurity {
    NBDServerSecurity(policy: .required, context: context)
  }
}
