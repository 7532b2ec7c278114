/// Where a registered device comes from: what its driver tells of it beyond what every block device does.
///
/// Any thread may call at any time.
package protocol DeviceOrigin: Sendable {
  /// "NVMe disk"
  var productName: String { get }
}
