import BlockDevice

/// A named load; its name is the key of the committed figures.
struct LoadCase {
  enum Path: String {
    /// The engine of a TCP queue pair: below the transport boundary.
    case queuePair = "queue pair"
    /// The submit/poll face of a block device, all the way down and back.
    case channel
    /// The same over two healthy paths that take turns.
    case multipath
    /// The NBD server, over a Unix-domain socket: without the kernel.
    case nbd = "NBD server"
  }

  var path: Path
  var title: String
  var shape: LoadShape

  init(_ path: Path, _ title: String, _ shape: LoadShape) {
    self.path = path
    self.title = title
    self.shape = shape
  }

  var name: String { "\(path.rawValue): \(title)" }

  func makeLoad() throws -> any Load {
    switch path {
    case .queuePair: EngineLoad(shape)
    case .channel: try ChannelLoad(shape, .plain)
    case .multipath: try ChannelLoad(shape, .twoPaths)
    case .nbd: try NBDLoad(shape)
    }
  }

  static var all: [LoadCase] {
    let read = LoadShape(operation: .read, byteCount: 4096)
    let write = LoadShape(operation: .write, byteCount: 4096)
    let requestedWrite = LoadShape(operation: .write, byteCount: 65_536)
    let largeRead = LoadShape(operation: .read, byteCount: 131_072)
    return [
      LoadCase(.queuePair, "4 KiB read", read),
      LoadCase(
        .queuePair, "4 KiB read, response capsule",
        LoadShape(operation: .read, byteCount: 4096, hasResponseCapsule: true)),
      LoadCase(.queuePair, "4 KiB write in the capsule", write),
      LoadCase(.queuePair, "64 KiB write by R2T", requestedWrite),
      LoadCase(.queuePair, "128 KiB read", largeRead),
      LoadCase(
        .queuePair, "4 KiB read, digests", LoadShape(operation: .read, byteCount: 4096, hasDigests: true)),
      LoadCase(
        .queuePair, "4 KiB write in the capsule, digests",
        LoadShape(operation: .write, byteCount: 4096, hasDigests: true)),
      LoadCase(.channel, "4 KiB read", read),
      LoadCase(.channel, "4 KiB write in the capsule", write),
      LoadCase(.channel, "64 KiB write by R2T", requestedWrite),
      LoadCase(.channel, "128 KiB read", largeRead),
      LoadCase(.multipath, "4 KiB read", read),
      LoadCase(.multipath, "4 KiB write in the capsule", write),
      LoadCase(.nbd, "4 KiB read", read),
      LoadCase(.nbd, "4 KiB write", write),
    ]
  }
}
