func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
func text(_ text: String) -> [UInt8] { Array(text.utf8) }
