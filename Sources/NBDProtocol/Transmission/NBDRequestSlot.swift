/// One request, from its header to the last byte of its reply.
struct NBDRequestSlot {
  var cookie: UInt64 = 0
  /// As the client sent them.
  var offset: UInt64 = 0
  var length: UInt64 = 0
  var command = NBDCommand.read
  var flags: NBDCommandFlags = []
  /// Nil when there is nothing wrong.
  var failure: NBDFailure?
  var sizeClass: NBDBufferPool.SizeClass = 0
  /// Where in the buffer the client's data begins: a read may begin amid a block.
  var slackByteCount: UInt32 = 0
  /// Of its reply, those that have not been sent.
  var vectorCount: UInt8 = 0
  var buffer: UnsafeMutableRawPointer?
  /// The device has it, and its answer does not wait for that; or has been sent.
  var isAbandoned = false
  var isAnswered = false
}
