/// What a client has done that ends its connection.
public enum NBDViolation: String, Sendable, Hashable {
  case badMagic = "a request does not begin with its magic number"
  case oversizedPayload = "a request brings more data than anybody may send"
}
