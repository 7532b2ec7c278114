/// News of an ``ExportTable``.
public enum ExportTableEvent: Sendable {
  case added(Export)
  case changed(Export, ExportLimits)
  case removed(Export, ExportEndReason)
}
