internal import NVMeHost
internal import RingReactor

/// A probe of a path on probation, as the multipath device holds it: it waits for its time on a reactor of the path's, and
/// then reads the namespace's first block.
final class PathProbe: @unchecked Sendable {
  /// ``PathProbation/number``
  let number: UInt64
  private let reactor: ReactorHandle
  /// On the reactor's thread only.
  private weak var source: PathProbeSource?

  /// - Parameters:
  ///   - queue: what the read goes to.
  ///   - begin: when its time has come: the namespace to read from; nil: it is not to be read now.
  ///   - ended: whether the read was answered. Not told of a probe that has been cancelled.
  init(
    number: UInt64, queue: IOQueue, dueNanoseconds: UInt64,
    begin: @escaping @Sendable () -> NVMeBlockDevice?,
    ended: @escaping @Sendable (_ isAnswered: Bool, _ nowNanoseconds: UInt64) -> Void
  ) {
    self.number = number
    reactor = queue.reactor
    let identifier = queue.identifier
    reactor.post { reactor in
      // The reactor keeps it.
      let source = PathProbeSource(
        reactor: reactor, queueIdentifier: identifier, dueNanoseconds: dueNanoseconds, begin: begin, ended: ended)
      self.source = source
    }
  }

  /// Ends it; a read that is under way is waited for, on the reactor. Any thread may call.
  func cancel() { reactor.post { _ in self.source?.cancel() } }
}
