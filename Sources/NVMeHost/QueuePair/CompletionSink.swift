public import NVMeProtocol
public import RingReactor

/// Who submits commands to a ``QueuePair`` and is told their ends.
open class CompletionSink: ReactorSource {
  /// A command of this sink has ended; its memory is the sink's again. Called on the reactor's thread, after all
  /// completions of the turn have been collected; the sink may submit again at once.
  open func complete(_ completion: CommandCompletion) {}
}
