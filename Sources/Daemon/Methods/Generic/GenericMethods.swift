internal import JSONRPC

/// Methods about the daemon as a whole, and about block devices whatever is behind them.
enum GenericMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    FrameworkMethods.all(service) + ThreadMethods.all(service) + LogMethods.all(service) + KeyringMethods.all(service)
      + NotificationMethods.all(service) + DeviceMethods.all(service) + StatisticsMethods.all(service)
      + HistogramMethods.all(service)
  }
}
