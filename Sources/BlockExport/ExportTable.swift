internal import BlockDevice
internal import RingReactor
internal import Synchronization

/// The exports that there are, by name. Any thread may call.
///
/// An export that ends is taken out, whoever ended it.
public final class ExportTable: Sendable {
  private struct Shared {
    /// In the order of coming.
    var exports: [Export] = []
    /// The name of the first that there has ever been, or was to be.
    var defaultName: String?
    var observers = ObserverTable<ExportTableEvent>()
  }

  private let shared = Mutex(Shared())

  public init() {}

  /// In the order of coming.
  public var exports: [Export] { shared.withLock { $0.exports } }

  /// The export of this name. The empty name, where none has it, is that of the first that was ever added: NBD calls it the
  /// default export. While that one is away there is none: a client that comes back without a name must not find another
  /// disk, and write its data there.
  public subscript(name: String) -> Export? {
    shared.withLock { shared in
      func named(_ name: String) -> Export? { shared.exports.first { $0.name == name } }
      return named(name) ?? (name.isEmpty ? shared.defaultName.flatMap(named) : nil)
    }
  }

  /// Has the export of this name be the first, whenever it is added. Without effect when there has been one.
  public func reserveDefault(_ name: String) {
    shared.withLock { if $0.defaultName == nil { $0.defaultName = name } }
  }

  /// - Throws: ``ExportError`` when there is one of this name already, or it has ended.
  public func add(_ export: Export) throws(ExportError) {
    if let reason = export.endReason {
      throw ExportError(field: "device", value: export.device.name, rule: "the export has ended: \(reason)")
    }
    let isAdded = shared.withLock { shared in
      guard !shared.exports.contains(where: { $0.name == export.name }) else { return false }
      shared.exports.append(export)
      if shared.defaultName == nil { shared.defaultName = export.name }
      return true
    }
    guard isAdded else {
      throw ExportError(field: "name", value: export.name, rule: "there is an export of this name already")
    }
    tell(.added(export))
    _ = export.addObserver { [weak self, weak export] event in
      guard let self, let export else { return }
      switch event {
      case .limitsChanged: self.tell(.changed(export, export.limits))
      case .ended(let reason): self.takeOut(export, reason)
      }
    }
    // It may have ended before anybody listened.
    if let reason = export.endReason { takeOut(export, reason) }
  }

  /// Ends an export.
  ///
  /// - Returns: the export, whose clients may still be about to go (``Export/drained()``); nil when there is none.
  @discardableResult
  public func remove(name: String, reason: ExportEndReason = .removed) -> Export? {
    let export = shared.withLock { shared in shared.exports.first { $0.name == name } }
    export?.end(reason)
    return export
  }

  /// Ends all exports, and waits until they have no clients.
  public func removeAll(reason: ExportEndReason) async {
    let exports = exports
    for export in exports { export.end(reason) }
    for export in exports { await export.drained() }
  }

  private func takeOut(_ export: Export, _ reason: ExportEndReason) {
    let isRemoved = shared.withLock { shared in
      let count = shared.exports.count
      shared.exports.removeAll { $0 === export }
      return shared.exports.count < count
    }
    if isRemoved { tell(.removed(export, reason)) }
  }

  private func tell(_ event: ExportTableEvent) {
    for observer in shared.withLock({ $0.observers.all }) { observer(event) }
  }

  public func addObserver(_ observer: @escaping @Sendable (ExportTableEvent) -> Void) -> UInt64 {
    shared.withLock { $0.observers.add(observer) }
  }

  public func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers.remove(identifier) } }
}
