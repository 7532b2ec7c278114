public import RingReactor

/// Something with numbered blocks of equal size: an NVMe namespace, memory, a file.
///
/// A device is a handle that any thread may hold. Work goes through a ``BlockChannel``, made for one reactor and used on
/// its thread alone (the submit/poll face), or through the `async` methods (the `async` face), which use a channel on
/// ``reactor`` underneath.
public protocol BlockDevice: AnyObject, Sendable {
  /// A name for people and logs.
  var name: String { get }
  /// Size and limits now. An NVMe namespace may be resized while in use.
  var geometry: BlockGeometry { get }
  var capabilities: BlockCapabilities { get }
  /// The reactor that the `async` face runs on.
  var reactor: ReactorHandle { get }
  /// The `async` face's state, made by the device along with itself.
  var asyncFace: AsyncFace { get }

  /// Opens a channel for the calling thread, whose reactor is `reactor`.
  ///
  /// The reactor keeps the channel until ``BlockChannel/close()``, and the channel its device: one that is not closed stays
  /// until the reactor ends.
  ///
  /// - Parameter queueDepth: requests accepted at once, 1...65535; more are answered ``BlockSubmission/busy``.
  /// - Throws: ``BlockRefusal/closed`` when the device is gone; ``BlockRefusal/noQueueOnReactor`` when it is there, but
  ///   not for this reactor.
  func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel
}
