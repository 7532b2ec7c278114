package import NVMeProtocol

extension StatusField {
  /// The same status with Do Not Retry set.
  package var withDoNotRetry: StatusField {
    var status = self
    status.doNotRetry = true
    return status
  }
}
