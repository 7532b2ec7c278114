import BlockDevice

/// Decodes what a controller has sent.
///
/// - Throws: ``ToolError`` of kind device error.
func decoding<Value>(_ body: () throws(NVMeProtocol.DecodingError) -> Value) throws(ToolError) -> Value {
  do throws(NVMeProtocol.DecodingError) { return try body() } catch { throw .malformed(error) }
}

extension ToolError {
  static func malformed(_ error: NVMeProtocol.DecodingError) -> ToolError {
    ToolError(.deviceError, "the controller sent something malformed: \(error)")
  }
}
