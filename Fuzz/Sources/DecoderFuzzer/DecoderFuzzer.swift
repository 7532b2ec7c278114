import NVMeProtocol
import NVMeTCPProtocol

/// Every decoder of structures and PDU headers: the first byte selects. None may trap, and what was decoded must not
/// change any more by being encoded and decoded again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDecoder(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var input = FuzzInput(UnsafeBufferPointer(start: data, count: count))
  let choice = Int(input.byte())
  let structures = StructureDecoders.all
  if choice < 128 {
    structures[choice % structures.count](input.rest())
  } else if choice < 192 {
    PDUDecoders.all[choice % PDUDecoders.all.count](&input)
  } else {
    ReceiverComparison.run(&input)
  }
  return 0
}
