/// A number as the specifications write it: hexadecimal digits, padded to the type's width, then "h".
func hexadecimal<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> String {
  let digits = String(value, radix: 16, uppercase: true)
  return String(repeating: "0", count: max(0, T.bitWidth / 4 - digits.count)) + digits + "h"
}
