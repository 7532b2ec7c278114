/// The controller's side of a queue pair against a host that does as it likes: see ``TargetWorld``.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTarget(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  var world = TargetWorld(UnsafeBufferPointer(start: data, count: count))
  world.run()
  return 0
}
