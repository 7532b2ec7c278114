/// The host's queue pair against a controller that does as it likes: see ``QueuePairWorld``.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzQueuePair(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var world = QueuePairWorld(UnsafeBufferPointer(start: data, count: count))
  world.run()
  return 0
}
