import AllocationCounter
import BlockDevice
import EmbeddedTarget

@main struct AllocationGate {
  static func main() async throws {}
}
