/// What has kept a loopback from its work.
struct NBDLoopbackError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
